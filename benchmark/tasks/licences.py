"""Say under which licences the hub's data sets are, as far as their cards were read."""

LICENCES = {
    "DigitalLearningGmbH/MATH-lighteval": "MIT",
    "openai/gsm8k": "MIT",
    "PKU-Alignment/PKU-SafeRLHF": "cc-by-nc-4.0",
    "abisee/cnn_dailymail": "Apache-2.0",
    "s-nlp/paradetox": "openrail++",
    "nvidia/HelpSteer2": "CC-BY-4.0",
    "HuggingFaceH4/ultrafeedback_binarized": "MIT",
}


def non_commercial(repo: str) -> str | None:
    """Return the licence of a data set that is not for commercial use, None for any other."""
    licence = LICENCES.get(repo)
    return licence if licence is not None and "-nc" in licence.lower() else None
