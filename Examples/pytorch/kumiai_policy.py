"""The Kumiai policy in PyTorch: loads a release's `model.safetensors`, predicts actions for a robot, trains further.

A small vision-language-action transformer over [image patches | words | robot state | action queries]; it predicts a
chunk of actions, by regression (`l1`, `mse`) or by flow matching. The safetensors metadata contain the configuration: the
shape, and the contract with the robot (which observations and actions, in which units and normalisation).
"""
import json
import math
import unicodedata
from collections import deque

import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors import safe_open

FLOW_STEPS = 10


class Block(nn.Module):
    """A pre-LayerNorm transformer block; every token attends to every other."""

    def __init__(self, dim, heads, feedforward):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.fc1, self.fc2 = nn.Linear(dim, feedforward), nn.Linear(feedforward, dim)

    def forward(self, x):
        batch, tokens, dim = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        context = F.scaled_dot_product_attention(q, k, v)
        x = x + self.proj(context.transpose(1, 2).reshape(batch, tokens, dim))
        return x + self.fc2(F.gelu(self.fc1(self.ln2(x)), approximate="tanh"))


class Policy(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        contract, dim, size = config["contract"], config["dim_model"], config["patch_size"]
        self.flow, self.patch_size = config["loss"] == "flow_matching", size
        self.chunk, self.n_words = config["chunk_size"], config["n_words"]
        self.n_actions = len(contract["action"]["dimensions"])
        self.n_state = sum(len(entry["mean"]) for entry in contract["state"])
        self.n_patches = sum((camera["height"] // size) * (camera["width"] // size) for camera in contract["cameras"])

        if self.n_patches:
            self.patch = nn.Linear(3 * size**2, dim)
        if self.n_words:
            self.word = nn.Embedding(config["vocab_size"], dim)
        if self.n_state:
            self.state = nn.Linear(self.n_state, dim)
        if self.flow:
            self.action_in, self.time = nn.Linear(self.n_actions, dim), nn.Linear(dim, dim)
        tokens = self.n_patches + self.n_words + bool(self.n_state) + self.chunk
        self.pos = nn.Parameter(torch.zeros(tokens, dim))
        shape = dim, config["n_heads"], config["dim_feedforward"]
        self.blocks = nn.ModuleList(Block(*shape) for _ in range(config["n_layers"]))
        self.ln, self.head = nn.LayerNorm(dim), nn.Linear(dim, self.n_actions)

        # Not persistent: these buffers belong to the contract, not to the weights.
        for statistic in ("mean", "std"):
            state = [value for entry in contract["state"] for value in entry[statistic]]
            actions = [dimension[statistic] for dimension in contract["action"]["dimensions"]]
            self.register_buffer(f"state_{statistic}", torch.tensor(state, dtype=torch.float32), persistent=False)
            self.register_buffer(f"action_{statistic}", torch.tensor(actions, dtype=torch.float32), persistent=False)

    @classmethod
    def load(cls, path):
        with safe_open(path, "pt") as file:
            policy = cls(json.loads(file.metadata()["config"]))
            policy.load_state_dict({name: file.get_tensor(name) for name in file.keys()})
        return policy

    def forward(self, state=None, words=None, patches=None, noisy=None, time=None):
        """Maps normalised inputs to a chunk of normalised actions; with flow matching, to their velocity at `noisy`, `time`.

        state (B, S), words (B, n_words) int64, patches (B, P, 3 * patch_size²), noisy (B, chunk, A), time (B,).
        """
        tokens = []
        if self.n_patches:
            tokens.append(self.patch(patches))
        if self.n_words:
            tokens.append(self.word(words))
        if self.n_state:
            tokens.append(self.state(state)[:, None])
        if self.flow:
            queries = self.action_in(noisy) + self.time(self.time_embedding(time))[:, None]
        else:
            queries = self.pos.new_zeros(len(tokens[0]), self.chunk, self.pos.shape[1])
        x = torch.cat([*tokens, queries], 1) + self.pos
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x[:, -self.chunk:]))

    def time_embedding(self, time):
        """The sinusoidal embedding of π0, for times in 0…1: periods from 4e-3 to 4."""
        # In float64, because the shortest period turns the angle up to 250 times.
        fraction = torch.linspace(0, 1, self.pos.shape[1] // 2, dtype=torch.float64, device=time.device)
        angle = 2 * math.pi * time.double()[:, None] / (4e-3 * (4.0 / 4e-3) ** fraction)
        return torch.cat([angle.sin(), angle.cos()], -1).to(self.pos.dtype)

    def loss(self, batch):
        """The loss on normalised `state`, `words`, `patches` (those in use) and `actions`; flow matching also takes `noise`
        like the actions and `time` (B,), so that the trainer chooses their distributions."""
        inputs, actions = [batch.get(name) for name in ("state", "words", "patches")], batch["actions"]
        if self.flow:
            noise, time = batch["noise"], batch["time"]
            noisy = time[:, None, None] * actions + (1 - time[:, None, None]) * noise
            return F.mse_loss(self(*inputs, noisy, time), actions - noise)
        return (F.l1_loss if self.config["loss"] == "l1" else F.mse_loss)(self(*inputs), actions)

    def sample(self, state=None, words=None, patches=None, noise=None):
        """Returns normalised actions; with flow matching, by Euler steps from `noise` (t = 0) to t = 1."""
        if not self.flow:
            return self(state, words, patches)
        x = noise
        for step in range(FLOW_STEPS):
            x = x + self(state, words, patches, x, x.new_full((len(x),), step / FLOW_STEPS)) / FLOW_STEPS
        return x

    @torch.no_grad()
    def act(self, state=None, instruction="", images=(), noise=None):
        """A chunk of actions (B, chunk, A) in the contract's units.

        state (B, S) in the contract's order and units; one instruction for the batch; an image (B, H, W, 3) for each
        camera, uint8. Flow matching starts from `noise` (B, chunk, A) if given.
        """
        device = self.pos.device
        state = torch.as_tensor(state, dtype=torch.float32, device=device) if self.n_state else None
        images = [torch.as_tensor(image, device=device) for image in images]
        batch = len(state) if self.n_state else len(images[0]) if images else 1
        if self.flow and noise is None:
            noise = torch.randn(batch, self.chunk, self.n_actions, device=device)
        actions = self.sample(
            self.normalise_state(state) if self.n_state else None,
            self.tokenize(instruction).to(device).expand(batch, -1) if self.n_words else None,
            self.patchify(images) if self.n_patches else None,
            noise,
        )
        return actions * self.action_std + self.action_mean

    def normalise_state(self, state):
        return ((state - self.state_mean) / self.state_std).clamp(-5, 5)

    def normalise_actions(self, actions):
        return (actions - self.action_mean) / self.action_std

    def patchify(self, images):
        """Converts uint8 images (B, H, W, 3), one per camera, to (B, P, 3 * patch_size²): a row-major grid of squares."""
        size, patches = self.patch_size, []
        for image in images:
            batch, height, width, _ = image.shape
            squares = (image.float() / 127.5 - 1).view(batch, height // size, size, width // size, size, 3)
            patches.append(squares.transpose(2, 3).reshape(batch, -1, 3 * size**2))
        return torch.cat(patches, 1)

    def tokenize(self, text):
        """Maps words to ids by a hash (FNV-1a, 32 bits), without a vocabulary file; 0 pads. Raises ValueError for text that the policy would not see."""
        words = split_words(text)
        if len(words) > self.n_words:
            raise ValueError(f"the instruction has {len(words)} words, and the policy reads {self.n_words}: {text!r}")
        ids = []
        for word in words:
            digest = 2_166_136_261
            for byte in word.encode():
                digest = (digest ^ byte) * 16_777_619 % 2**32
            ids.append(1 + digest % (self.config["vocab_size"] - 1))
        return torch.tensor(ids + [0] * (self.n_words - len(ids)))


# Joiners of Persian, of Indian scripts and of emoji, and variation selectors: they only affect how a letter is drawn.
INVISIBLE = (0x200C, 0x200D), (0x180B, 0x180D), (0x180F, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF)
# The long-vowel marks of Japanese.
LONG_VOWELS = "\u30fc\uff70"
# Letters, marks and symbols without a visible shape: the grapheme joiner, Hangul fillers, the empty Braille cell.
SHAPELESS = "\u034f\u115f\u1160\u2800\u3164\uffa0"
HAN = (0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)
HIRAGANA = ((0x3041, 0x309F),)
KATAKANA = (0x30A0, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)


def split_words(text):
    """The words of an instruction in any script, exactly as Kumiai's trainer computes them (Sources/Demonstrations/Text/Tokenizer.swift).

    NFC and lower-case; a word is a run of letters, marks and digits, and ends where Han, Hiragana, Katakana and other scripts
    meet; a symbol outside ASCII is a word of its own. Raises ValueError for control characters and the like.
    """
    lower = "".join(character.lower() for character in unicodedata.normalize("NFC", text))
    words, word, script = [], "", None
    for character in unicodedata.normalize("NFC", lower):
        kind = character_kind(character)
        if kind == "unreadable":
            raise ValueError(
                f"the instruction contains U+{ord(character):04X}, which is not a letter, digit or symbol: {text!r}"
            )
        if kind == "invisible":
            continue
        if kind == "mark":
            word, script = word + character, script or "other"
            continue
        if word and (kind != script or kind in ("symbol", "separator")):
            words.append(word)
            word = ""
        if kind == "separator":
            script = None
        else:
            word, script = word + character, kind
    return words + [word] if word else words


def character_kind(character):
    """Returns "han", "hiragana", "katakana" or "other" for a letter or digit, otherwise "mark", "invisible", "symbol", "separator" or "unreadable"."""
    value, category = ord(character), unicodedata.category(character)
    if value < 128:
        if character.isalnum():
            return "other"
        return "separator" if 9 <= value <= 13 or 32 <= value <= 126 else "unreadable"
    if any(first <= value <= last for first, last in INVISIBLE):
        return "invisible"
    if character in SHAPELESS or character == "\ufffd" or category[0] == "C":
        return "unreadable"
    if character in LONG_VOWELS or category[0] == "M":
        return "mark"
    if category[0] == "S":
        return "symbol"
    if category[0] in "PZ":
        return "separator"
    for script, ranges in ("han", HAN), ("hiragana", HIRAGANA), ("katakana", KATAKANA):
        if any(first <= value <= last for first, last in ranges):
            return script
    return "other"


class TemporalEnsemble:
    """The action of each step as the mean of all chunks that predicted it (ACT, Zhao et al. 2023)."""

    def __init__(self, chunk, decay=0.01):
        self.decay, self.chunks = decay, deque(maxlen=chunk)

    def reset(self):
        self.chunks.clear()

    def update(self, chunk):
        """Adds the chunk (..., chunk, A) predicted at this step; returns the action (..., A) to execute now."""
        self.chunks.append(chunk)
        count = len(self.chunks)
        # The oldest chunk comes first and has the largest weight; it predicted this step count - 1 steps ago.
        predictions = torch.stack([chunk[..., count - 1 - i, :] for i, chunk in enumerate(self.chunks)])
        weights = torch.exp(-self.decay * torch.arange(count, dtype=chunk.dtype, device=chunk.device))
        return torch.tensordot(weights / weights.sum(), predictions, 1)


class LoRA(nn.Module):
    """y = W x + b + (alpha / rank) B A x, with W and b frozen; A and B are named and initialised as PEFT does."""

    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.linear, self.scale = linear, alpha / rank
        self.lora_A = nn.Linear(linear.in_features, rank, bias=False)
        self.lora_B = nn.Linear(rank, linear.out_features, bias=False)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x):
        return self.linear(x) + self.lora_B(self.lora_A(x)) * self.scale


def add_lora(policy, rank, alpha, targets=("qkv", "proj", "fc1", "fc2")):
    """Freezes the policy and wraps its target modules, without PEFT; returns the factors by their names."""
    policy.requires_grad_(False)
    for name, module in list(policy.named_modules()):
        parent, _, child = name.rpartition(".")
        if child in targets:
            setattr(policy.get_submodule(parent), child, LoRA(module, rank, alpha))
    return {name: value for name, value in policy.named_parameters() if value.requires_grad}
