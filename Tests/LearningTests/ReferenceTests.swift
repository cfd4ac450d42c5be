import TestKit
import Tensors
import Testing

@testable import Learning

/// The native trainer against PyTorch: Reference/make_reference.py wrote the values.
@Suite struct ReferenceTests {
    struct Reference {
        let file: SafetensorsFile
        let policy: Policy
        let batch: Batch

        init(_ name: String) throws {
            file = try SafetensorsFile(path: Repository.path("Tests/LearningTests/Reference/\(name).safetensors"))
            let c = try PolicyConfiguration(json: file.header[metadata: "config"]!)
            var weights: [Float] = []
            for tensor in c.layout.tensors { weights += try Self.floats(file, tensor.name) }
            policy = Policy(c, weights: weights)
            var batch = Batch(count: 5, c)
            batch.state = try Self.floats(file, "input.state")
            batch.words = try Self.integers(file, "input.words")
            batch.actions = try Self.floats(file, "input.actions")
            if c.usesImage { batch.patches = try Self.patches(file, c) }
            self.batch = batch
        }

        func floats(_ prefix: String) throws -> [Float] {
            try policy.layout.tensors.flatMap { try Self.floats(file, prefix + $0.name) }
        }

        static func bytes(_ file: SafetensorsFile, _ name: String) throws -> [UInt8] {
            let range = try #require(file.layout[name]).range
            var bytes = [UInt8](repeating: 0, count: range.count)
            try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: range.lowerBound) }
            return bytes
        }

        static func floats(_ file: SafetensorsFile, _ name: String) throws -> [Float] {
            try bytes(file, name).withUnsafeBytes { raw in (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) } }
        }

        static func integers(_ file: SafetensorsFile, _ name: String) throws -> [Int32] {
            try bytes(file, name).withUnsafeBytes { raw in (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) } }
        }

        /// The images through the same path that demonstrations take.
        static func patches(_ file: SafetensorsFile, _ c: PolicyConfiguration) throws -> [Float] {
            var set = DemonstrationSet(c)
            set.append(
                Demonstration(
                    task: "t", instruction: "", length: 5, states: [Float](repeating: 0, count: 5 * c.stateCount),
                    images: try bytes(file, "input.image"), actions: [Float](repeating: 0, count: 5 * c.actionCount)))
            var batch = Batch(count: 5, c)
            set.fill(&batch, with: Array(0..<5))
            return batch.patches
        }
    }

    /// ‖a − b‖ / ‖b‖ over a tensor.
    static func relativeError(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Double {
        let pairs = Array(zip(a, b))
        let difference = pairs.reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        let size = pairs.reduce(0.0) { $0 + Double($1.1 * $1.1) }
        return (difference / max(size, 1e-20)).squareRoot()
    }

    @Test(arguments: ["state", "image", "both"])
    func outputAndLossAgreeWithPyTorch(name: String) throws {
        let reference = try Reference(name)
        let trainer = Trainer(reference.policy, batch: 5)
        #expect(Self.relativeError(trainer.predict(reference.batch), try Reference.floats(reference.file, "output")) < 1e-5)
        let loss = try Reference.floats(reference.file, "loss")[0]
        #expect(abs(trainer.gradients(reference.batch).loss - loss) / loss < 1e-5)
    }

    @Test(arguments: ["state", "image", "both"], [1, 2, 3])
    func everyGradientAgreesWithPyTorch(name: String, threads: Int) throws {
        let reference = try Reference(name)
        let (_, gradient) = Trainer(reference.policy, batch: 5, threads: threads).gradients(reference.batch)
        let wanted = try reference.floats("grad.")
        for tensor in reference.policy.layout.tensors {
            let range = tensor.range.lowerBound / 4..<tensor.range.upperBound / 4
            let error = Self.relativeError(gradient[range], wanted[range])
            #expect(error < 1e-4, "\(tensor.name): \(error)")
        }
    }

    @Test(arguments: ["state", "image", "both"])
    func oneStepOfAdamWAgreesWithPyTorch(name: String) throws {
        let reference = try Reference(name)
        let trainer = Trainer(reference.policy, batch: 5, optimizer: .init(weightDecay: 1e-2))
        _ = trainer.step(reference.batch, learningRate: 1e-3)
        // AdamW's first step is the gradient's sign times the rate: where a gradient is nearly zero its sign is noise.
        let gradient = try reference.floats("grad.")
        let next = try reference.floats("next.")
        for index in gradient.indices where abs(gradient[index]) > 1e-6 {
            #expect(abs(trainer.policy.weights[index] - next[index]) < 1e-5, "weight \(index)")
        }
    }
}
