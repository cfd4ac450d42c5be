"""Reference values for the native trainer: outputs, losses, gradients and one AdamW step of the policy in PyTorch.

    pip install torch==2.13.0 safetensors==0.8.0 numpy==2.4.6
    python make_reference.py            # writes its .safetensors files beside itself

Weights are random and the sizes are small, so that the files are; each tensor of the policy is named as in a model
file, its gradient `grad.<name>`, its value after one AdamW step `next.<name>`. LoRA's factors have their names in PEFT.
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "Examples" / "pytorch"))
from kumiai_policy import Policy, add_lora

HERE = pathlib.Path(__file__).parent
BATCH = 5
LORA = {"r": 3, "lora_alpha": 6, "target_modules": ["qkv", "proj", "fc1", "fc2"]}
PROXIMAL = 0.1  # FedProx's mu
FRONT, WRIST = "agentview_image", "robot0_eye_in_hand_image"


def configuration(state=0, cameras={}, words=5, loss="l1"):
    """`cameras`: (height, width) by key. Mean 0 and deviation 1: inputs pass unchanged."""
    return {
        "type": "kumiai_vla", "dim_model": 20, "n_layers": 2, "n_heads": 2, "dim_feedforward": 36, "patch_size": 12,
        "n_words": words, "vocab_size": 23, "chunk_size": 3, "loss": loss,
        "contract": {
            "embodiment": "sawyer", "control_hz": 20, "instruction": "language_instruction" if words else "",
            "action": {
                "space": "end-effector displacement and gripper",
                "dimensions": [
                    {"name": name, "unit": "1", "mean": 0, "std": 1, "minimum": -1, "maximum": 1}
                    for name in ("x", "y", "z", "gripper")
                ],
            },
            "state": [{"key": "s", "offset": 0, "unit": "m", "mean": [0] * state, "std": [1] * state}] if state else [],
            "cameras": [{"key": key, "height": height, "width": width} for key, (height, width) in cameras.items()],
        },
    }


def randomise(policy):
    for name, value in sorted(policy.named_parameters()):
        scale = 0.2 if value.dim() > 1 else 0.1
        center = 1.0 if ".ln" in f".{name}" and name.endswith("weight") else 0.0
        value.data = torch.randn(value.shape) * scale + center


def random_inputs(policy):
    """Tensors as the file has them, without the prefix `input.`."""
    config = policy.config
    actions = BATCH, policy.chunk, policy.n_actions
    inputs = {"actions": torch.rand(actions) * 2 - 1}
    if policy.n_state:
        inputs["state"] = torch.randn(BATCH, policy.n_state).clamp(-5, 5)
    if policy.n_words:
        inputs["words"] = torch.randint(0, config["vocab_size"], (BATCH, policy.n_words), dtype=torch.int32)
    cameras = config["contract"]["cameras"]
    for number, camera in enumerate(cameras):
        name = "image" if len(cameras) == 1 else f"image.{number}"
        inputs[name] = torch.randint(0, 256, (BATCH, camera["height"], camera["width"], 3), dtype=torch.uint8)
    if policy.flow:
        inputs["noise"], inputs["time"] = torch.randn(actions), torch.rand(BATCH)
    return inputs


def batch_of(policy, inputs):
    batch = {name: value for name, value in inputs.items() if not name.startswith("image")}
    if policy.n_words:
        batch["words"] = inputs["words"].long()
    if policy.n_patches:
        batch["patches"] = policy.patchify([inputs[name] for name in sorted(inputs) if name.startswith("image")])
    return batch


def output_of(policy, batch):
    """What the loss compares with its target: actions, or the velocity at the batch's noise and time."""
    inputs = [batch.get(name) for name in ("state", "words", "patches")]
    if not policy.flow:
        return policy(*inputs)
    time = batch["time"][:, None, None]
    return policy(*inputs, time * batch["actions"] + (1 - time) * batch["noise"], batch["time"])


def make(name, seed, config, lora=False, proximal=False):
    torch.manual_seed(seed)
    policy = Policy(config)
    randomise(policy)
    inputs = random_inputs(policy)
    batch = batch_of(policy, inputs)
    metadata = {"config": json.dumps(config)}
    tensors = {f"input.{key}": value for key, value in inputs.items()} | policy.state_dict()
    parameters = dict(policy.named_parameters())
    if lora:
        metadata["lora"] = json.dumps(LORA)
        factors = add_lora(policy, LORA["r"], LORA["lora_alpha"], LORA["target_modules"])
        parameters = {f"base_model.model.{key}": value for key, value in factors.items()}
        for value in parameters.values():
            value.data = torch.randn(value.shape) * 0.2
        tensors |= parameters
    tensors = {key: value.detach().clone() for key, value in tensors.items()}

    tensors["output"], tensors["loss"] = output_of(policy, batch), policy.loss(batch)
    if policy.flow:
        tensors["sampled"] = policy.sample(*(batch.get(key) for key in ("state", "words", "patches", "noise")))
    tensors["loss"].backward()
    if proximal:
        for key, value in parameters.items():
            tensors[f"anchor.{key}"] = value.detach() + torch.randn(value.shape) * 0.05
            value.grad += PROXIMAL * (value.detach() - tensors[f"anchor.{key}"])
    tensors |= {f"grad.{key}": value.grad.clone() for key, value in parameters.items()}
    optimizer = torch.optim.AdamW(parameters.values(), lr=1e-3, weight_decay=1e-2, betas=(0.9, 0.95))
    torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
    optimizer.step()
    tensors |= {f"next.{key}": value for key, value in parameters.items()}
    tensors = {key: value.detach().contiguous() for key, value in tensors.items()}
    save_file(tensors, HERE / f"{name}.safetensors", metadata)


image = configuration(state=4, cameras={FRONT: (24, 24)})
flow = configuration(state=5, cameras={FRONT: (24, 24)}, loss="flow_matching")
make("state", 0, configuration(state=39))
make("image", 1, image)
make("both", 2, configuration(state=39, cameras={FRONT: (24, 24)}))
make("cameras", 3, configuration(state=7, cameras={FRONT: (24, 24), WRIST: (12, 36)}, words=0, loss="mse"))
make("blind", 4, configuration(state=3, loss="mse"))
make("vision", 5, configuration(cameras={FRONT: (24, 36)}, words=0))
make("flow", 6, flow)
make("lora_image", 7, image, lora=True)
make("lora_flow", 8, flow, lora=True)
make("fedprox", 9, configuration(state=39), proximal=True)
