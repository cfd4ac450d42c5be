"""Three small episodes in ALOHA's layout, as ACT's recorder writes them.

    pip install h5py==3.16.0 numpy==2.4.6
    python make_aloha.py        # writes episode_0.hdf5 … episode_2.hdf5 beside itself
"""
import pathlib

import h5py
import numpy as np

HERE = pathlib.Path(__file__).parent

for episode in range(3):
    rng = np.random.default_rng(episode)
    steps = 6 + episode
    with h5py.File(HERE / f"episode_{episode}.hdf5", "w") as file:
        file.attrs["sim"] = True
        file.attrs["embodiment"] = "aloha"
        angles = np.cumsum(rng.uniform(-0.1, 0.1, (steps + 1, 14)), axis=0)
        observations = file.create_group("observations")
        observations["qpos"] = angles[:-1]
        observations["qvel"] = np.diff(angles, axis=0) * 50
        file["action"] = angles[1:]
        images = observations.create_group("images")
        for camera in ("top", "angle"):
            frames = np.full((steps, 24, 32, 3), 10 * episode, dtype="uint8")
            frames[:, :12, :16] = 200  # the left upper quarter is bright
            images.create_dataset(camera, data=frames, chunks=(1, 24, 32, 3), compression="gzip")
