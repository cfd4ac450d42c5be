import Contracts
import Demonstrations
import Policies
import Tensors
import Dispatch

/// Loads the next batch while the current one is being trained on, so that training does not wait for it.
final class BatchLoader: @unchecked Sendable {
    // Unchecked, because values that the queue changes are read only after `ready` was signalled.
    private let demonstrations: DemonstrationSet
    private let batch: Int
    private let steps: Int
    private var sampler: Sampler
    private var generator: SeededGenerator
    private var step: Int
    private var loaded: Loaded?
    private let queue = DispatchQueue(label: "kumiai.batches", qos: .userInitiated)
    private let ready = DispatchSemaphore(value: 0)

    struct Loaded {
        let batch: Batch
        /// The generator's state after this batch was drawn.
        let generator: UInt64
    }

    init(
        _ demonstrations: DemonstrationSet,
        batch: Int,
        sampling: Sampling,
        seed: UInt64,
        generator: SeededGenerator,
        steps: Range<Int>
    ) {
        self.demonstrations = demonstrations
        self.batch = batch
        self.steps = steps.upperBound
        sampler = Sampler(sampling, count: demonstrations.count, batch: batch, seed: seed)
        self.generator = generator
        step = steps.lowerBound
        load()
    }

    /// Returns the batch of the next step. Call it exactly once per step.
    func next() -> Loaded {
        ready.wait()
        let next = loaded!
        load()
        return next
    }

    private func load() {
        guard step < steps else { return }
        queue.async { [self] in
            let configuration = demonstrations.configuration
            var samples = Batch(count: batch, configuration)
            demonstrations.fill(&samples, with: sampler.indices(step: step, using: &generator))
            if configuration.objective == .flowMatching {
                generator.fillNormal(&samples.noise)
                for index in samples.time.indices { samples.time[index] = FlowTime.sample(using: &generator) }
            }
            loaded = Loaded(batch: samples, generator: generator.state)
            step += 1
            ready.signal()
        }
    }
}
