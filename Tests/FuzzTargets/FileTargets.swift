import Contracts
import Contracts
import Demonstrations
import Policies
import Federation
import Foundation
import Tensors
import TestKit
import Updates
import Worker

extension FuzzTarget {
    /// Models and updates: the header, its JSON, and the data after it.
    static let safetensors = FuzzTarget(name: "safetensors", maximumBytes: 4096) { bytes in
        _ = try? JSONParser.parse(bytes)
        _ = try? PolicyConfiguration(json: String(decoding: bytes, as: UTF8.self))
        guard let file = try? SafetensorsFile(Bytes(bytes: bytes)) else { return }
        demand(
            file.header.byteCount + file.layout.byteCount == bytes.count,
            "a file whose tensors do not fill it was taken"
        )
        _ = file.layout.canonicalBytes
        _ = try? file.float32s()
        try? file.checkFinite()
        _ = try? Policy(file)
        readAsUpdate(file)
    } seeds: {
        let layout = TensorLayout([(name: "a", type: .f32, shape: [2, 3]), (name: "b \"ü\"", type: .f32, shape: [])])
        let other = TensorLayout([(name: "a", type: .f32, shape: [0])])
        return [
            SafetensorsHeader.encode(layout, metadata: [(name: "format", value: "pt")])
                + [UInt8](repeating: 7, count: 28), SafetensorsHeader.encode(other),
            SafetensorsHeader.encode(other, metadata: [(name: "config", value: Self.policy)]), Array(policy.utf8),
        ] + updates + [
            Array("{\"a\":[1,-2.5e3,true,null,\"\\u00e9\\n\"],\"b\":{}}".utf8)
        ]
    }

    private static let base = TensorLayout([(name: "a.weight", type: .f32, shape: [4, 6])])
    private static let formats = [Compression.none, .bfloat16, .int8(block: 16), .topK(fraction: 0.25)].flatMap {
        compression in
        [nil, LoRA(rank: 2, alpha: 1, targets: ["a"])].map { lora in
            let training = Training(localSteps: 1, batch: 1, learningRate: 1, lora: lora)
            return UpdateFormat(TrainedTensors(training, base: base, round: 1), compression)
        }
    }

    /// Reads the file in every form that a plan allows.
    private static func readAsUpdate(_ file: SafetensorsFile) {
        for format in formats {
            guard let reader = try? format.reader(file) else { continue }
            demand(reader.elementCount <= 24, "an update of more values than the plan's was taken")
            _ = try? reader.values(0..<reader.elementCount)
            _ = try? reader.inspectedNorm()
        }
    }

    private static var updates: [[UInt8]] {
        formats.map { format in
            withFile([]) { path in
                try! format.write((0..<format.trained.layout().elementCount).map { Float($0) }, to: path)
                return Array(FileManager.default.contents(atPath: path)!)
            }
        }
    }

    /// The fuzzer runs its own reader process; a test uses the program that was built beside it.
    private static let readerProgram = CommandLine.arguments[0].hasSuffix("/fuzz") ? "/proc/self/exe" : Shell.kumiai

    private static let policy = example.json

    private static let example = PolicyConfiguration(
        Contract(
            embodiment: "arm",
            instruction: "i",
            action: ActionSpace(space: "joints", dimensions: [.init(name: "a"), .init(name: "b")]),
            state: [StateFeature(key: "s", offset: -1, mean: [0, 1], std: [1, 2])],
            cameras: [Camera(key: "c", height: 8, width: 4)]
        ),
        objective: .flowMatching,
        patchSide: 4,
        words: 4,
        vocabulary: 16,
        width: 8,
        layers: 1,
        heads: 2,
        feedForward: 16,
        chunk: 2
    )

    /// The policy that the seed of the demonstrations fits.
    private static let demonstrated = PolicyConfiguration(
        Contract(
            embodiment: "arm",
            instruction: "language_instruction",
            action: ActionSpace(space: "displacement", dimensions: ["x", "y", "z", "gripper"].map { .init(name: $0) }),
            state: [
                StateFeature(key: "robot0_eef_pos", mean: [0, 0, 0], std: [1, 1, 1]),
                StateFeature(key: "robot0_gripper_qpos", mean: [0], std: [1]),
                StateFeature(
                    key: "object",
                    offset: -1,
                    mean: [Float](repeating: 0, count: 14),
                    std: [Float](repeating: 1, count: 14)
                ),
                StateFeature(key: "goal", mean: [0, 0, 0], std: [1, 1, 1]),
            ],
            cameras: []
        )
    )

    private struct Bytes: ByteSource {
        let bytes: [UInt8]
        var byteCount: Int { bytes.count }

        func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
            guard offset >= 0, offset <= bytes.count, buffer.count <= bytes.count - offset else {
                throw SafetensorsError("the file ends early")
            }
            buffer.copyBytes(from: bytes[offset..<offset + buffer.count])
        }
    }

    /// A site's HDF5 file. The seed, which h5py wrote, is in the corpus.
    static let demonstrations = FuzzTarget(name: "demonstrations", maximumBytes: 16_384) { bytes in
        withFile(bytes) { path in
            // In a separate process, as in a worker: some files crash libhdf5.
            let reader = DemonstrationReader(
                program: [readerProgram, DemonstrationReader.verb],
                memoryBytes: 2 << 30,
                seconds: 10
            )
            _ = try? reader.read(path, split: .train, for: demonstrated, scratch: scratchDirectory)
        }
    } seeds: {
        []
    }
}
