"""Writes a LoRA adapter with PEFT's own save_pretrained: patterns, rank stabilisation, trained biases, a module saved whole.

    pip install torch==2.13.0 safetensors==0.8.0 numpy==2.4.6 peft==0.21.2
    python write_adapter.py MODEL.safetensors DIRECTORY
"""
import pathlib
import sys

import torch
from peft import LoraConfig, get_peft_model

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "Examples" / "pytorch"))
from kumiai_policy import Policy

torch.manual_seed(0)
adapted = get_peft_model(Policy.load(sys.argv[1]), LoraConfig(
    r=4, lora_alpha=6, target_modules=["qkv", "fc1", "fc2"], rank_pattern={"fc1": 2}, alpha_pattern={"blocks.1.qkv": 3},
    use_rslora=True, modules_to_save=["head"], bias="lora_only"))
with torch.no_grad():
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name or "modules_to_save" in name or name.endswith("base_layer.bias"):
            parameter.normal_(std=0.05)
adapted.save_pretrained(sys.argv[2])
