import Contracts
import Demonstrations
import Federation
import Foundation
import Logging
import Policies
import Tensors

/// Trains the built-in policy, or an adapter for it, on the site's demonstrations, and saves snapshots.
package struct NativeTrainer: Trainer {
    private let settings: Settings
    private let site: SiteID
    private let logger: Logger
    private let reader: DemonstrationReader

    /// The settings that the site's engineer chooses.
    package struct Settings: Sendable {
        /// The path of the demonstrations.
        package var demonstrations: String
        package var declared: DemonstrationFiles.Declaration
        package var threads: Int
        /// The number of adapter components that this site trains, at most the plan's; `nil` for all of the plan's.
        package var rank: Int?
        package var snapshotSeconds: Int
        /// The directory of the snapshot and of temporary files.
        package var directory: String

        package init(
            demonstrations: String,
            declared: DemonstrationFiles.Declaration = .init(),
            threads: Int = 1,
            rank: Int? = nil,
            snapshotSeconds: Int = 60,
            directory: String
        ) {
            self.demonstrations = demonstrations
            self.declared = declared
            self.threads = threads
            self.rank = rank
            self.snapshotSeconds = snapshotSeconds
            self.directory = directory
        }
    }

    package init(_ settings: Settings, site: SiteID, logger: Logger, reader: DemonstrationReader = .init()) {
        self.settings = settings
        self.site = site
        self.logger = logger
        self.reader = reader
    }

    package func train(_ job: TrainingJob, progress: (Double, Float) throws -> Void) throws -> TrainingResult {
        let file = try job.model.open("the model of round \(job.key)")
        let policy = try Policy(file)
        try Batch.check(
            count: job.training.batch,
            policy.configuration,
            hint: "the plan needs a smaller training.batch"
        )
        let turn = try job.training.lora.map { try adapterTurn(job, job.trained(file.layout), $0, policy) }
        let demonstrations = try reader.read(
            settings.demonstrations,
            split: .train,
            for: policy.configuration,
            declared: settings.declared,
            scratch: settings.directory
        ) { try progress(0, 0) }
        let outcome = try train(
            job,
            from: turn?.policy ?? policy,
            adapter: turn?.start,
            on: demonstrations,
            progress: progress
        )
        let change =
            turn?.change(to: outcome.adapter!) ?? zip(outcome.policy.weights, policy.weights).map { $0 - $1 }
        let rank = turn?.start.layout.rank
        return TrainingResult(
            change: change,
            rank: rank == job.training.lora?.rank ? nil : rank,
            samples: UInt32(clamping: demonstrations.count),
            loss: outcome.loss
        )
    }

    package func finished(_ job: TrainingJob) { snapshots.remove() }

    private func adapterTurn(_ job: TrainingJob, _ trained: TrainedTensors, _ lora: LoRA, _ policy: Policy) throws
        -> AdapterTurn
    {
        let whole = trained.adapter!
        let global: [Float]
        if let adapter = job.adapter {
            let name = "the adapter of round \(job.key)"
            let file = try adapter.open(name)
            guard file.layout == whole.layout else {
                throw TrainingError("\(name) does not have the tensor layout of the plan's adapter")
            }
            global = try file.float32s()
            try file.layout.checkFinite(global, called: name)
        } else {
            global = whole.initialValues(seed: job.training.seed)
        }
        return try AdapterTurn(
            trained,
            lora,
            policy: policy,
            global: global,
            rank: min(settings.rank ?? lora.rank, lora.rank)
        )
    }

    private func train(
        _ job: TrainingJob,
        from start: Policy,
        adapter: Adapter?,
        on demonstrations: DemonstrationSet,
        progress: (Double, Float) throws -> Void
    ) throws -> LocalTraining.Outcome {
        let training = LocalTraining(job, samples: demonstrations.count, threads: settings.threads)
        let name = name(of: job, demonstrations)
        let snapshot = snapshots.load(name, parameters: adapter?.values.count ?? start.weights.count)
        if let snapshot {
            logger.info(
                "training resumes from its snapshot",
                metadata: ["round": "\(job.key)", "step": "\(snapshot.step)"]
            )
        }
        var saved = Date()
        do {
            return try training.run(
                from: start,
                adapter: adapter,
                on: demonstrations,
                seed: SeededGenerator(seed: job.training.seed, label: site.description, round: job.key.round),
                resuming: snapshot
            ) { step in
                do { try progress(Double(step.step) / Double(training.steps), step.loss) } catch {
                    // If the worker was stopped, it resumes here later.
                    if step.step < training.steps { snapshots.save(step.snapshot(), name) }
                    throw error
                }
                guard step.step < training.steps,
                    Date().timeIntervalSince(saved) >= Double(settings.snapshotSeconds)
                else { return }
                snapshots.save(step.snapshot(), name)
                saved = Date()
            }
        } catch let error as TrainingDivergence {
            // The saved snapshot may already have diverged.
            snapshots.remove()
            throw TrainingError(
                """
                \(error); nothing is sent. Check the values of the demonstrations with kumiai worker doctor; if they \
                are right, tell the operator: 
                """
                    + (error.step == 1
                        ? "this model cannot be used for training"
                        : "learning_rate in the plan may be too large for this site"),
                hint: "depending on the plan's quorum, the round continues without this site or waits for it"
            )
        }
    }

    /// Names everything that the trained weights depend on, so that no snapshot of another training is used.
    private func name(of job: TrainingJob, _ demonstrations: DemonstrationSet) -> String {
        """
        \(job.campaign) round \(job.key.round) of \(job.rounds), \(job.model.digest.hex), \
        \(job.adapter?.digest.hex ?? "no adapter"), \(job.training), \(demonstrations.count) samples \
        \(demonstrations.fingerprint), rank \(settings.rank ?? 0), \(settings.threads) threads
        """
    }

    private var snapshots: SnapshotFile {
        SnapshotFile(path: settings.directory + "/training.snapshot", logger: logger)
    }
}

extension LocalTraining {
    /// The training that the plan specifies for a round.
    fileprivate init(_ job: TrainingJob, samples: Int, threads: Int) {
        let t = job.training
        let steps = t.steps(samples: samples)
        self.init(
            steps: steps,
            batch: t.batch,
            sampling: t.localEpochs > 0 ? .epochs : .random,
            schedule: .round(rate: t.learningRate(round: job.key.round, of: job.rounds), steps: steps),
            optimizer: AdamW.Settings(
                beta1: Float(t.betas.first),
                beta2: Float(t.betas.second),
                weightDecay: Float(t.weightDecay),
                clip: Float(t.gradientClip)
            ),
            proximal: Float(t.proximal),
            threads: threads
        )
    }
}
