import Blobs
import Federation
import Identity
import Learning
import NIOConcurrencyHelpers
import Tensors

/// A site's part in a round: from the global model to a signed update in the store.
struct SiteTrainer: Sendable {
    let configuration: WorkerConfiguration
    let identity: WorkerIdentity
    let blobs: BlobStore

    /// Trains by the task; `progress` hears how far it is, and stops the work by throwing.
    func run(_ task: TrainingTask, at time: @Sendable () -> Timestamp, progress: (Double, Float) throws -> Void) throws -> SignedUpdate {
        let file = try SafetensorsFile(path: blobs.path(of: task.model.digest))
        guard Digest(of: file.layout.canonicalBytes) == task.model.layout else {
            throw WorkerError("the model of round \(task.key) has another tensor layout than the plan says")
        }
        let policy = try Policy(file)
        let demonstrations = try RobomimicReader.read(configuration.demonstrations, split: .train, for: policy.configuration)
        let outcome = try training(task).run(
            from: policy, on: demonstrations,
            seed: SeededGenerator(seed: task.training.seed, label: identity.site.description, round: task.key.round)
        ) { step, loss in try progress(Double(step) / Double(task.training.localSteps), loss) }
        let update = try writeUpdate(from: policy, to: outcome.policy)
        let manifest = UpdateManifest(
            campaign: task.campaign, key: task.key, site: identity.site, model: task.model.digest, update: update.digest,
            updateByteCount: update.byteCount, layout: task.model.layout, samples: UInt32(clamping: demonstrations.count),
            localLoss: outcome.loss, createdAt: time())
        return try identity.sign(manifest, bytes: manifest.wireBytes)
    }

    private func training(_ task: TrainingTask) -> LocalTraining {
        let t = task.training
        return LocalTraining(
            steps: t.localSteps, batch: t.batch,
            schedule: .round(rate: t.learningRate(round: task.key.round, of: task.rounds), steps: t.localSteps),
            optimizer: AdamW.Settings(weightDecay: Float(t.weightDecay), clip: Float(t.gradientClip)),
            threads: configuration.threads)
    }

    /// The pseudo-gradient: local minus global weights, in the layout of the base.
    private func writeUpdate(from start: Policy, to end: Policy) throws -> (digest: Digest, byteCount: UInt64) {
        let path = blobs.temporaryPath()
        let writer = try SafetensorsWriter(path: path, layout: start.layout)
        try writer.append(zip(end.weights, start.weights).map { $0 - $1 })
        try writer.finish()
        return try blobs.adopt(path)
    }
}

/// How the current training goes; written by its thread, read by the heartbeat.
final class TrainingMeter: Sendable {
    private let state = NIOLockedValueBox((progress: 0.0, loss: 0.0, generation: 0))

    /// Begins a training; the token says later whether it is still wanted.
    func begin() -> Int {
        state.withLockedValue {
            $0.generation += 1
            $0.progress = 0
            return $0.generation
        }
    }

    func stop() { state.withLockedValue { $0.generation += 1 } }

    /// Notes progress; throws where another training has begun since or this one was stopped.
    func note(_ progress: Double, _ loss: Float, token: Int) throws {
        try state.withLockedValue {
            guard $0.generation == token else { throw CancellationError() }
            ($0.progress, $0.loss) = (progress, Double(loss))
        }
    }

    var progress: Double { state.withLockedValue { $0.progress } }
    var loss: Double { state.withLockedValue { $0.loss } }
}
