import Demonstrations
import Policies
import Trainers
import Tensors

/// Trains a model for each site alone, with as many steps as in the campaign, and compares all models on every site's
/// held-out demonstrations.
struct DemoComparison {
    let layout: DemoLayout
    let rounds: Int
    let seed: UInt64
    let output: LiveView.Output

    /// The same values as in the plan that the demo writes.
    private static let localSteps = 10
    private static let batch = 32

    struct Outcome {
        struct Row {
            let task: String
            let site: String
            let base: Double
            let alone: Double
            let federated: Double
        }

        let rows: [Row]
        let meanBase: Double
        let meanFederated: Double
        /// The lowest mean over all tasks of any site's own model.
        let bestAlone: Double
    }

    func run() async throws -> Outcome {
        let base = try Policy(SafetensorsFile(path: layout.baseModel))
        let federated = try Policy(SafetensorsFile(path: layout.releaseDirectory + "/model.safetensors"))
        let valid = try layout.sites.map {
            try DemonstrationFiles.read(layout.demonstrations($0), split: .valid, for: base.configuration)
        }
        let alone = try await trainAlone(base)
        func errors(_ policy: Policy) -> [Double] { valid.map { Evaluation.error(of: policy, on: $0) } }
        let baseErrors = errors(base), federatedErrors = errors(federated), aloneErrors = alone.map(errors)
        let rows = layout.sites.enumerated().map { index, site in
            Outcome.Row(
                task: site.task,
                site: site.id.description,
                base: baseErrors[index],
                alone: aloneErrors[index][index],
                federated: federatedErrors[index]
            )
        }
        func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
        return Outcome(
            rows: rows,
            meanBase: mean(baseErrors),
            meanFederated: mean(federatedErrors),
            bestAlone: aloneErrors.map(mean).min() ?? 0
        )
    }

    /// Two at a time, because the demo assumes two cores.
    private func trainAlone(_ base: Policy) async throws -> [Policy] {
        output.print(
            """
            for comparison, training each site alone: \(rounds * Self.localSteps) steps of the whole model, the same \
            number as in the campaign
            """
        )
        var bar = ProgressBar("sites alone", unit: "sites")
        var models = [Policy?](repeating: nil, count: layout.sites.count)
        try await withThrowingTaskGroup(of: (Int, Policy).self) { group in
            var next = 0
            func begin() {
                guard next < layout.sites.count else { return }
                let index = next
                next += 1
                group.addTask { (index, try self.trainAlone(base, at: layout.sites[index])) }
            }
            begin()
            begin()
            var done = 0
            bar.update(0, of: layout.sites.count)
            while let (index, model) = try await group.next() {
                try Task.checkCancellation()
                models[index] = model
                done += 1
                bar.update(done, of: layout.sites.count)
                begin()
            }
        }
        bar.finish()
        return models.map { $0! }
    }

    private func trainAlone(_ base: Policy, at site: DemoLayout.Site) throws -> Policy {
        let steps = rounds * Self.localSteps
        let demonstrations = try DemonstrationFiles.read(
            layout.demonstrations(site),
            split: .train,
            for: base.configuration
        )
        let training = LocalTraining(
            steps: steps,
            batch: Self.batch,
            schedule: Schedule(peak: 1e-3, warmupSteps: min(10, steps / 2), decayTo: 0.1, steps: steps)
        )
        return try training.run(
            from: base,
            on: demonstrations,
            seed: SeededGenerator(seed: seed, label: "alone \(site.id)", round: 0)
        ).policy
    }
}
