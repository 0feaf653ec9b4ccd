"""``snakemake --lint``, failing on anything but three pieces of advice that the workflow ignores.

Software comes from the locked environment that the workflow runs in, so no rule names a container.
How a job gets its GPUs is a variable and no parameter: with a parameter, whatever was trained on
this machine would be trained again when the study is continued on a cluster. Nor is the name of the
study: called by its path instead, it would be trained again.
"""

import subprocess
import sys

ACCEPTED = (
    "Specify a conda environment or container for each rule.",
    "Shell command directly uses variable gpus from outside of the rule",
    "Shell command directly uses variable study from outside of the rule",
)
FINDING = "    * "  # what a finding's line starts with


def main() -> int:
    """Print the findings that are not accepted; return 1 if there are any."""
    command = [sys.executable, "-m", "snakemake", "--lint"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (result.stdout + result.stderr).splitlines()
    findings = [line for line in lines if line.startswith(FINDING)]
    left = [line for line in findings if not any(text in line for text in ACCEPTED)]
    if not findings:  # it always has some of that advice: the output is not what we take it for
        left = lines
    print("\n".join(left) or "snakemake --lint: nothing but what is accepted")
    return int(bool(left))


if __name__ == "__main__":
    sys.exit(main())
