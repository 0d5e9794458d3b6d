"""Writes the golden checkpoints, pictures, cases and reference arrays, or checks the committed ones.

Owns: the command line, where each file goes, what every case must fulfil, and the comparison. Needs torch and
transformers; nothing here runs in the tests. From the root of the repository:

    python -m tests.golden.make_golden            write everything
    python -m tests.golden.make_golden --check    write to a temporary folder and compare; exit 1 on a difference
    python -m tests.golden.make_golden --search untied --first 1 --count 50    list seeds that fulfil the demands
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from .cases_recipe import CASES, write_cases
from .checkpoint_recipe import RECIPES, Recipe, write_checkpoint
from .pictures_recipe import write_pictures
from .reference_run import Arrays, Reference, quieten_transformers, run_case
from .tokenizer_recipe import FIRST_SPECIAL_ID

HERE = Path(__file__).parent
MIN_MARGIN = 0.02
MIN_DISTINCT_TOKENS = 8
TOLERANCE = 1e-4


def _shortcomings(arrays: Arrays) -> list[str]:
    """Say what makes a case unfit as a reference; empty when it is fit."""
    found = []
    if not all(np.isfinite(value).all() for value in arrays.values() if value.dtype.kind == "f"):
        found.append("a value is not finite")
    if float(arrays["greedy_margin"]) < MIN_MARGIN:
        found.append(f"greedy margin {float(arrays['greedy_margin']):.4f}")
    if (distinct := len(set(arrays["greedy"].tolist()))) < MIN_DISTINCT_TOKENS:
        found.append(f"only {distinct} distinct tokens")
    if (arrays["greedy"] >= FIRST_SPECIAL_ID).any():
        found.append("a control or padding token in the answer")
    return found


def write_golden(root: Path) -> list[str]:
    """Write everything under ``root`` (created if absent); gives the shortcomings of all cases."""
    pictures = root / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    write_pictures(pictures)
    write_cases(root / "cases.json")
    problems = []
    for recipe in RECIPES:
        folder = root / recipe.name
        folder.mkdir(exist_ok=True)
        write_checkpoint(folder, recipe)
        reference = Reference(folder, pictures)
        for name, messages in CASES.items():
            arrays = run_case(reference, messages)
            np.savez_compressed(folder / f"{name}.npz", allow_pickle=False, **arrays)
            distinct = len(set(arrays["greedy"].tolist()))
            print(
                f"{recipe.name}/{name}: {len(arrays['input_ids'])} tokens, grids {arrays['grid_thw'].tolist()}, "
                f"margin {float(arrays['greedy_margin']):.3f}, {distinct} distinct",
                file=sys.stderr,
            )
            problems += [f"{recipe.name}/{name}: {problem}" for problem in _shortcomings(arrays)]
    return problems


def _committed_files(root: Path) -> set[Path]:
    suffixes = {".json", ".jinja", ".npz", ".png", ".safetensors"}
    return {path.relative_to(root) for path in root.rglob("*") if path.suffix in suffixes}


def _array_differences(new: Arrays, old: Arrays) -> Iterator[str]:
    for key in sorted(new.keys() | old.keys()):
        if key not in new or key not in old or new[key].shape != old[key].shape or new[key].dtype != old[key].dtype:
            yield f"{key}: absent or of another shape or type"
        elif new[key].dtype.kind != "f":
            if not np.array_equal(new[key], old[key]):
                yield f"{key}: not equal"
        elif not np.allclose(new[key], old[key], rtol=TOLERANCE, atol=TOLERANCE):
            yield f"{key}: differs by up to {np.abs(new[key] - old[key]).max():.2e}"


def _load(path: Path) -> Arrays:
    """Load any of the stored files as arrays; text is compared as bytes."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    if path.suffix == ".png":
        with Image.open(path) as picture:
            return {"pixels": np.asarray(picture)}
    if path.suffix == ".safetensors":
        # The stored type is part of the key, because numpy has no bfloat16 to compare.
        return {f"{name} as {value.dtype}": value.float().numpy() for name, value in load_file(path).items()}
    return {"text": np.frombuffer(path.read_bytes(), dtype=np.uint8)}


def differences(new_root: Path, old_root: Path) -> list[str]:
    """Compare two golden folders file by file: whole numbers, text and pixels equal, floats within ``TOLERANCE``."""
    new, old = _committed_files(new_root), _committed_files(old_root)
    found = [f"{path}: in one of the two folders only" for path in sorted(new ^ old)]
    for path in sorted(new & old):
        found += [f"{path}: {text}" for text in _array_differences(_load(new_root / path), _load(old_root / path))]
    return found


def _search(recipe: Recipe, seeds: range) -> None:
    """Print the seeds for which every case is fit, with their smallest margin."""
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        write_pictures(root)
        for seed in seeds:
            write_checkpoint(root, recipe, seed)
            reference = Reference(root, root)
            margins = []
            for name, messages in CASES.items():
                arrays = run_case(reference, messages)
                if problems := _shortcomings(arrays):
                    print(f"seed {seed}: {name}: {'; '.join(problems)}", file=sys.stderr)
                    break
                margins.append(float(arrays["greedy_margin"]))
            else:
                print(f"seed {seed}: fit, smallest margin {min(margins):.4f}")


def main() -> int:
    """Run the command line; gives the exit code."""
    parser = argparse.ArgumentParser(description="Write or check the golden files.")
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    parser.add_argument("--search", choices=[recipe.name for recipe in RECIPES], help="look for fit seeds")
    parser.add_argument("--first", type=int, default=1, help="first seed of the search")
    parser.add_argument("--count", type=int, default=50, help="number of seeds to try")
    options = parser.parse_args()
    quieten_transformers()
    # One thread, so that sums come out in the same order on every machine.
    torch.set_num_threads(1)
    if options.search is not None:
        recipe = next(recipe for recipe in RECIPES if recipe.name == options.search)
        _search(recipe, range(options.first, options.first + options.count))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        # A folder below the temporary one, because only that one is closed to other users.
        target = Path(temporary, "golden")
        problems = write_golden(target)
        if options.check:
            problems += differences(target, HERE)
        elif not problems:
            shutil.copytree(target, HERE, dirs_exist_ok=True)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
