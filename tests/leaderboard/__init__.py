"""Tests of the leaderboards; a package, so that they share ``lab``."""
