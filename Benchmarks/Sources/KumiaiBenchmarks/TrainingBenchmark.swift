import Contracts
import Demonstrations
import Policies
import Trainers
import Foundation
import LinearAlgebra
import Tensors

/// Samples per second of one training step (forward, backward, clipping, AdamW), float32.
enum TrainingBenchmark {
    private struct Case {
        let name: String
        let configuration: PolicyConfiguration
        var rank = 0
    }

    static func run() throws -> [String: Double] {
        let cases = [
            Case(name: "state", configuration: state), Case(name: "image", configuration: image),
            Case(name: "lora_image", configuration: image, rank: 8),
        ]
        var values: [String: Double] = [:]
        for threads in [1, 2] {
            let peak = Peak.gigaflops(threads: threads)
            values["native_sgemm_gflops_t\(threads)"] = peak
            for benchmark in cases {
                for batch in [32, 256] {
                    let key = "\(benchmark.name)_b\(batch)_t\(threads)"
                    let (rate, bytes) = rate(benchmark, batch: batch, threads: threads)
                    values["native_\(key)"] = rate
                    if benchmark.rank == 0 {
                        values["peak_fraction_\(key)"] = rate * Work.flops(of: benchmark.configuration) / 1e9 / peak
                        values["memory_multiple_\(key)"] =
                            Double(bytes) / Double(4 * benchmark.configuration.layout.elementCount)
                    }
                }
            }
        }
        values["loading_vs_none_image_b32_t2"] = try loading()
        return values
    }

    /// Steps per second with batches made from real demonstrations during training, divided by those with a ready batch.
    private static func loading() throws -> Double {
        let policy = try Policy(SafetensorsFile(path: "../Examples/metaworld/base/image.safetensors"))
        let demonstrations = try DemonstrationFiles.read(
            "../Examples/metaworld/sites/window-open.hdf5",
            split: .train,
            for: policy.configuration
        )
        let trainer = PolicyTrainer(policy, batch: 32, threads: 2)
        var batch = Batch(count: 32, policy.configuration)
        demonstrations.fill(&batch, with: Array(0..<32))
        let training = LocalTraining(steps: 100, batch: 32, schedule: Schedule(peak: 1e-3, steps: 100), threads: 2)
        let ratios = try (0..<5).map { _ in
            let without = Main.seconds { for _ in 0..<100 { _ = trainer.step(batch, learningRate: 1e-3) } }
            return without
                / (try Main.seconds {
                    _ = try training.run(from: policy, on: demonstrations, seed: SeededGenerator(seed: 1))
                })
        }
        return ratios.sorted()[2]
    }

    /// The shapes of the sample policies: two arms' state without a camera, and one camera with the hand's state.
    private static let state = configuration(state: 39, cameras: [])
    private static let image = configuration(state: 4, cameras: [Camera(key: "c", height: 48, width: 48)])

    private static func configuration(state: Int, cameras: [Camera]) -> PolicyConfiguration {
        let numbers = [Float](repeating: 0, count: state)
        return PolicyConfiguration(
            Contract(
                embodiment: "arm",
                instruction: "i",
                action: ActionSpace(space: "s", dimensions: (0..<4).map { .init(name: "\($0)") }),
                state: [StateFeature(key: "s", mean: numbers, std: numbers.map { _ in 1 })],
                cameras: cameras
            )
        )
    }

    private static func rate(_ benchmark: Case, batch count: Int, threads: Int) -> (
        samplesPerSecond: Double, bytes: Int
    ) {
        var generator = SeededGenerator(seed: 1)
        let configuration = benchmark.configuration
        let policy = Policy(configuration, seed: 1)
        let trainer = PolicyTrainer(
            policy,
            adapter: adapter(policy, rank: benchmark.rank),
            batch: count,
            threads: threads
        )
        var batch = Batch(count: count, configuration)
        for index in batch.state.indices { batch.state[index] = .random(in: -1...1, using: &generator) }
        for index in batch.patches.indices { batch.patches[index] = .random(in: -1...1, using: &generator) }
        for index in batch.actions.indices { batch.actions[index] = .random(in: -1...1, using: &generator) }
        for index in batch.words.indices { batch.words[index] = .random(in: 0..<512, using: &generator) }
        for _ in 0..<5 { _ = trainer.step(batch, learningRate: 1e-3) }
        let steps = count == 32 ? 60 : 10
        let rate = Main.median(5) {
            Double(steps * count) / Main.seconds { for _ in 0..<steps { _ = trainer.step(batch, learningRate: 1e-3) } }
        }
        return (rate, trainer.byteCount)
    }

    private static func adapter(_ policy: Policy, rank: Int) -> Adapter? {
        guard rank > 0 else { return nil }
        let layout = AdapterLayout(base: policy.layout, rank: rank, targets: ["qkv", "proj", "fc1", "fc2"])
        return Adapter(layout, scale: 2, values: layout.initialValues(seed: 1))
    }
}

/// The multiplications and additions of a training step.
private enum Work {
    /// For one sample: the matrix products of the forward pass, and twice as many in the backward pass.
    static func flops(of c: PolicyConfiguration) -> Double {
        let (t, d, f, q) = (Double(c.tokens), Double(c.width), Double(c.feedForward), Double(c.chunk))
        // The last layer computes keys and values for all rows, and the rest only for the queries' rows.
        let whole = Double(c.layers - 1) * t, rows = whole + q
        let linear = Double(c.layers) * t * 2 * d * d + rows * (2 * d * d + 2 * d * f)
        let attention = (whole + q) * 2 * t * d
        let tokens = Double(c.patches * c.patchPixels + c.stateCount) * d + q * d * Double(c.actionCount)
        return 2 * 3 * (linear + attention + tokens)
    }
}

/// The machine's speed of single-precision matrix products.
private enum Peak {
    /// 2048³, the best of five runs; `threads` threads compute one product each.
    static func gigaflops(threads: Int) -> Double {
        BLAS.useOneThread()
        let n = 2048
        let rows = n / threads
        let matrices = (0..<3).map { _ in UnsafeMutablePointer<Float>.allocate(capacity: n * n) }
        defer { for matrix in matrices { matrix.deallocate() } }
        for matrix in matrices { matrix.initialize(repeating: 0.5, count: n * n) }
        nonisolated(unsafe) let (a, b, c) = (matrices[0], matrices[1], matrices[2])
        let best = (0..<5).map { _ in
            Main.seconds {
                DispatchQueue.concurrentPerform(iterations: threads) { lane in
                    BLAS.multiply(a + lane * rows * n, n, b, n, into: c + lane * rows * n, n, m: rows, n: n, k: n)
                }
            }
        }.min()!
        return 2 * Double(n * n * n) / best / 1e9
    }
}
