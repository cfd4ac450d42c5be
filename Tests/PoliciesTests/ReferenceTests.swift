@testable import Contracts
@testable import Demonstrations
@testable import Policies
import TestKit
import Tensors
import Testing

/// Compares the native trainer with PyTorch; Reference/make_reference.py wrote the values.
@Suite struct ReferenceTests {
    struct Reference {
        let file: SafetensorsFile
        let policy: Policy
        let adapter: Adapter?
        let batch: Batch

        init(_ name: String) throws {
            file = try SafetensorsFile(path: Repository.path("Tests/PoliciesTests/Reference/\(name).safetensors"))
            let c = try PolicyConfiguration(json: file.header[metadata: "config"]!)
            policy = Policy(c, weights: try Self.floats(file, c.layout))
            adapter = try Self.adapter(file, policy)
            var batch = Batch(count: 5, c)
            if c.usesState { batch.state = try Self.floats(file, "input.state") }
            if c.words > 0 { batch.words = try Self.integers(file, "input.words") }
            if c.usesImages { batch.patches = try Self.patches(file, c) }
            batch.actions = try Self.floats(file, "input.actions")
            if c.objective == .flowMatching {
                batch.noise = try Self.floats(file, "input.noise")
                batch.time = try Self.floats(file, "input.time")
            }
            self.batch = batch
        }

        private static func adapter(_ file: SafetensorsFile, _ policy: Policy) throws -> Adapter? {
            guard let json = try file.header[metadata: "lora"].map({ try JSONParser.parse(Array($0.utf8)) }) else {
                return nil
            }
            let rank = json["r"]!.integer!, targets = json["target_modules"]!.array!.compactMap(\.string)
            let layout = AdapterLayout(base: policy.layout, rank: rank, targets: targets)
            return Adapter(
                layout,
                scale: Float(json["lora_alpha"]!.double!) / Float(rank),
                values: try floats(file, layout.layout)
            )
        }

        func trainer(threads: Int = 1, proximal: Float = 0) -> PolicyTrainer {
            PolicyTrainer(
                policy,
                adapter: adapter,
                batch: 5,
                threads: threads,
                optimizer: .init(weightDecay: 1e-2),
                proximal: proximal
            )
        }

        /// The layout of the trained parameters.
        var layout: TensorLayout { adapter?.layout.layout ?? policy.layout }

        func floats(_ prefix: String) throws -> [Float] { try Self.floats(file, layout, prefix) }

        static func floats(_ file: SafetensorsFile, _ layout: TensorLayout, _ prefix: String = "") throws -> [Float] {
            try layout.tensors.flatMap { try floats(file, prefix + $0.name) }
        }

        static func bytes(_ file: SafetensorsFile, _ name: String) throws -> [UInt8] {
            let range = try #require(file.layout[name]).range
            var bytes = [UInt8](repeating: 0, count: range.count)
            try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: range.lowerBound) }
            return bytes
        }

        static func floats(_ file: SafetensorsFile, _ name: String) throws -> [Float] {
            try file.values(of: try #require(file.layout[name]))
        }

        static func integers(_ file: SafetensorsFile, _ name: String) throws -> [Int32] {
            try bytes(file, name).withUnsafeBytes { raw in
                (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self) }
            }
        }

        /// Converts the images in the same way as images of demonstrations.
        static func patches(_ file: SafetensorsFile, _ c: PolicyConfiguration) throws -> [Float] {
            let names =
                c.contract.cameras.count == 1 ? ["input.image"] : c.contract.cameras.indices.map { "input.image.\($0)" }
            var set = DemonstrationSet(c)
            set.append(
                Demonstration(
                    task: "t",
                    instruction: "",
                    length: 5,
                    states: [Float](repeating: 0, count: 5 * c.stateCount),
                    images: try names.map { try bytes(file, $0) },
                    actions: [Float](repeating: 0, count: 5 * c.actionCount)
                )
            )
            var batch = Batch(count: 5, c)
            set.fill(&batch, with: Array(0..<5))
            return batch.patches
        }
    }

    /// Returns ‖a − b‖ / ‖b‖.
    static func relativeError(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Double {
        let pairs = Array(zip(a, b))
        let difference = pairs.reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        let size = pairs.reduce(0.0) { $0 + Double($1.1 * $1.1) }
        return (difference / max(size, 1e-20)).squareRoot()
    }

    /// The files with reference values: one or two cameras, with and without words and state, each loss, and adapters.
    static let names = ["state", "image", "both", "cameras", "blind", "vision", "flow", "lora_image", "lora_flow"]

    @Test(arguments: names)
    func outputAndLossAgreeWithPyTorch(name: String) throws {
        let reference = try Reference(name)
        let trainer = reference.trainer()
        #expect(
            Self.relativeError(trainer.outputs(reference.batch), try Reference.floats(reference.file, "output")) < 1e-5
        )
        let loss = try Reference.floats(reference.file, "loss")[0]
        #expect(abs(trainer.gradients(reference.batch).loss - loss) / loss < 1e-5)
    }

    @Test(arguments: names, [1, 2, 3])
    func everyGradientAgreesWithPyTorch(name: String, threads: Int) throws {
        let reference = try Reference(name)
        try expect(reference.trainer(threads: threads).gradients(reference.batch).gradient, agreesWith: reference)
    }

    private func expect(_ gradient: [Float], agreesWith reference: Reference) throws {
        let wanted = try reference.floats("grad.")
        for tensor in reference.layout.tensors {
            let range = tensor.range.lowerBound / 4..<tensor.range.upperBound / 4
            let error = Self.relativeError(gradient[range], wanted[range])
            #expect(error < 1e-4, "\(tensor.name): \(error)")
        }
    }

    @Test(arguments: names)
    func oneStepOfAdamWAgreesWithPyTorch(name: String) throws {
        let reference = try Reference(name)
        let trainer = reference.trainer()
        _ = trainer.step(reference.batch, learningRate: 1e-3)
        // AdamW's first step is the gradient's sign times the rate; the sign of a gradient near zero is noise.
        let gradient = try reference.floats("grad.")
        let next = try reference.floats("next.")
        for index in gradient.indices where abs(gradient[index]) > 1e-6 {
            #expect(abs(trainer.parameters[index] - next[index]) < 1e-5, "weight \(index)")
        }
    }

    @Test func actionsOfAFlowAgreeWithPyTorch() throws {
        let reference = try Reference("flow")
        #expect(
            Self.relativeError(
                reference.trainer().predict(reference.batch),
                try Reference.floats(reference.file, "sampled")
            ) < 1e-5
        )
    }

    /// μ·(w − w₀) is added to the gradient, where w₀ are the weights at the start.
    @Test func fedProxAgreesWithPyTorch() throws {
        let reference = try Reference("fedprox")
        let anchor = Policy(reference.policy.configuration, weights: try reference.floats("anchor."))
        let trainer = PolicyTrainer(anchor, batch: 5, optimizer: .init(weightDecay: 1e-2), proximal: 0.1)
        let zeros = [Float](repeating: 0, count: anchor.weights.count)
        trainer.restore(parameters: reference.policy.weights, m: zeros, v: zeros, steps: 0)
        try expect(trainer.gradients(reference.batch).gradient, agreesWith: reference)
    }

    @Test func chunksAreAveragedAsActDoes() {
        // Three overlapping chunks with one value per action: weights 1, exp(-m), exp(-2m), the oldest first.
        var ensemble = TemporalEnsemble(actionCount: 1, decay: 0.5)
        #expect(ensemble.step([1, 2, 3]) == [1])
        let w = Float(0.60653066), v = Float(0.36787944)
        #expect(abs(ensemble.step([10, 20, 30])[0] - (2 + w * 10) / (1 + w)) < 1e-5)
        #expect(abs(ensemble.step([100, 200, 300])[0] - (3 + w * 20 + v * 100) / (1 + w + v)) < 1e-4)
        #expect(abs(ensemble.step([0, 0, 0])[0] - (30 + w * 200 + v * 0) / (1 + w + v)) < 1e-4)
    }
}
