"""Write a study's page: one HTML file that opens offline, with tables, charts and provenance."""
