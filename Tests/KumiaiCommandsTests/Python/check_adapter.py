"""Evaluates a model with a LoRA adapter through PEFT, and prints its outputs as one JSON list.

    pip install torch==2.13.0 safetensors==0.8.0 numpy==2.4.6 peft==0.21.2
    python check_adapter.py MODEL.safetensors ADAPTER_DIR INPUTS.safetensors [--merged OTHER.safetensors]

INPUTS has the policy's normalised inputs by name: `state`, `words` (int32), `patches`, and for flow matching `noisy`
and `time`; those that the policy does not use are absent. With --merged, OTHER loaded plainly must give the same.
"""
import argparse
import json
import pathlib
import sys

import torch
from peft import PeftModel, get_peft_model_state_dict
from safetensors.torch import load_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "Examples" / "pytorch"))
from kumiai_policy import Policy

TOLERANCE = 1e-4  # of the largest output

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("adapter", type=pathlib.Path)
parser.add_argument("inputs")
parser.add_argument("--merged")
arguments = parser.parse_args()

inputs = load_file(arguments.inputs)
if "words" in inputs:
    inputs["words"] = inputs["words"].long()
adapted = PeftModel.from_pretrained(Policy.load(arguments.model), arguments.adapter)

# PEFT only warns about a missing factor, and does not report an unexpected one.
stored = load_file(arguments.adapter / "adapter_model.safetensors")
loaded = get_peft_model_state_dict(adapted)
differing = sorted(stored.keys() ^ loaded.keys())
differing = differing or [name for name in sorted(stored) if not torch.equal(stored[name], loaded[name])]
if differing:
    sys.exit(f"check_adapter: PEFT did not load {len(differing)} of the adapter's tensors, such as {differing[0]}")

with torch.no_grad():
    outputs = adapted(**inputs)
    if arguments.merged:
        error = (Policy.load(arguments.merged)(**inputs) - outputs).abs().max() / outputs.abs().max()
        if not error <= TOLERANCE:  # NaN fails too
            sys.exit(f"check_adapter: {arguments.merged} differs from model and adapter by {error:.1e} (relative)")
print(json.dumps(outputs.flatten().tolist()))
