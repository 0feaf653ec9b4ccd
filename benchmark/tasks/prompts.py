r"""What is added to a problem so that a model answers where the objectives look."""

BOXED = r"Let's think step by step and output the final answer within \boxed{}."


def with_suffix(prompt: str, suffix: str) -> str:
    """Return the prompt ending in the suffix, after a blank, unless it ends so already."""
    return prompt if not suffix or prompt.endswith(suffix) else f"{prompt} {suffix}"
