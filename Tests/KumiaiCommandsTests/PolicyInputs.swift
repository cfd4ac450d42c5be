import TestKit
import Tensors

/// Observations for the state policy of the sample data, as a file that Python reads.
enum PolicyInputs {
    static let samples = 3

    static var state: [Float] {
        var generator = SplitMix64(seed: 1)
        return (0..<samples * 39).map { _ in Float.random(in: -1...1, using: &generator) }
    }
    static var words: [Int32] { (0..<samples * 12).map { Int32(($0 * 37) % 512) } }

    static func write(_ directory: TemporaryDirectory) throws -> String {
        let path = directory.file("inputs.safetensors")
        let writer = try SafetensorsWriter(
            path: path,
            layout: TensorLayout([("state", .f32, [samples, 39]), ("words", .i32, [samples, 12])])
        )
        try writer.append(state)
        try words.withUnsafeBytes { try writer.append($0) }
        try writer.finish()
        return path
    }
}
