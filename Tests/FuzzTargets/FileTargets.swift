import Foundation
import Learning
import Tensors
import TestKit
import Worker

extension FuzzTarget {
    /// Models and updates: the header, the JSON in it, and the data behind it.
    static let safetensors = FuzzTarget(name: "safetensors", maximumBytes: 4096) { bytes in
        _ = try? JSONParser.parse(bytes)
        _ = try? PolicyConfiguration(json: String(decoding: bytes, as: UTF8.self))
        guard let file = try? SafetensorsFile(Bytes(bytes: bytes)) else { return }
        demand(file.header.byteCount + file.layout.byteCount == bytes.count, "a file whose tensors do not fill it was taken")
        _ = file.layout.canonicalBytes
        _ = try? file.float32s()
        _ = try? Policy(file)
    } seeds: {
        let layout = TensorLayout([(name: "a", type: .f32, shape: [2, 3]), (name: "b \"ü\"", type: .f32, shape: [])])
        let other = TensorLayout([(name: "a", type: .f32, shape: [0])])
        return [
            SafetensorsHeader.encode(layout, metadata: [(name: "format", value: "pt")]) + [UInt8](repeating: 7, count: 28), SafetensorsHeader.encode(other),
            SafetensorsHeader.encode(other, metadata: [(name: "config", value: Self.policy)]), Array(policy.utf8),
            Array("{\"a\":[1,-2.5e3,true,null,\"\\u00e9\\n\"],\"b\":{}}".utf8),
        ]
    }

    /// The fuzzer reads for itself; a test asks the program that was built beside it.
    private static let readerProgram = CommandLine.arguments[0].hasSuffix("/fuzz") ? "/proc/self/exe" : Shell.kumiai

    private static let policy =
        "{\"obs\":\"both\",\"image\":8,\"patch\":4,\"words\":4,\"vocab\":16,\"d\":8,\"layers\":1,\"heads\":2,\"mlp\":16,\"chunk\":2,\"action_dim\":4}"

    private struct Bytes: ByteSource {
        let bytes: [UInt8]
        var byteCount: Int { bytes.count }

        func fill(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
            guard offset >= 0, offset <= bytes.count, buffer.count <= bytes.count - offset else { throw SafetensorsError("the file ends early") }
            buffer.copyBytes(from: bytes[offset..<offset + buffer.count])
        }
    }

    /// A site's HDF5 file. The seed, which h5py wrote, is in the corpus.
    static let demonstrations = FuzzTarget(name: "demonstrations", maximumBytes: 16_384) { bytes in
        withFile(bytes) { path in
            // In a process of its own, as a worker does it: libhdf5 dies of some files.
            let reader = DemonstrationReader(program: [readerProgram, DemonstrationReader.verb], memoryBytes: 2 << 30, seconds: 10)
            _ = try? reader.read(path, split: .train, for: PolicyConfiguration(observation: .state), scratch: scratchDirectory)
        }
    } seeds: {
        []
    }
}
