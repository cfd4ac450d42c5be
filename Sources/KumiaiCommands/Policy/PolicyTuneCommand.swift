import Contracts
import Demonstrations
import Policies
import Trainers
import ArgumentParser
import Federation
import Foundation
import Tensors

struct PolicyTuneCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "tune",
        abstract: "Fine-tune a policy on local demonstrations; nothing leaves this machine.",
        discussion: """
            With --rank, it trains an adapter and does not change the model: for example a site's own adapter for a \
            release, in PEFT's format. Without --rank, it writes a whole model.

            Examples:
              kumiai policy tune FY2027/model.safetensors site.hdf5 --rank 8 --out own
              kumiai policy evaluate FY2027/model.safetensors site.hdf5 --adapter own
            """
    )

    @Argument(
        help: ArgumentHelp("The model to start from.", valueName: "model.safetensors"),
        completion: .file(extensions: ["safetensors"])
    )
    var model: String

    @OptionGroup var demonstrations: DemonstrationOptions

    @Option(
        help: ArgumentHelp("Where to write the model, or the adapter's directory.", valueName: "path"),
        completion: .file()
    )
    var out: String

    @Option(help: "The adapter's rank; 0 trains the whole model.")
    var rank = 0

    @OptionGroup var adapter: AdapterOptions

    @Option(help: "Number of optimiser steps.")
    var steps = 200

    @Option(help: "Samples per step.")
    var batch = 32

    @Option(help: "The peak learning rate; default: 0.001, for adapters 0.005.")
    var learningRate: Double?

    @Option(help: "Number of threads.")
    var threads = 2

    @Option(help: "The seed of the random numbers.")
    var seed: UInt64 = 0

    @OptionGroup var force: ForceOption
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let out: String
        let loss: Double
        let trainedParameters: Int
        let errorBefore: Double
        let errorAfter: Double
    }

    func validate() throws {
        guard (0...1024).contains(rank), (1...10_000_000).contains(steps), (1...65_536).contains(batch),
            (1...256).contains(threads)
        else {
            throw ValidationError(
                "expected: --rank 0 to 1024, --steps 1 to 10000000, --batch 1 to 65536, --threads 1 to 256"
            )
        }
        guard rank > 0 || adapter.isDefault else {
            throw ValidationError("--target and --alpha apply to an adapter: add --rank")
        }
        guard learningRate.map({ $0 > 0 && $0.isFinite }) ?? true else {
            throw ValidationError("--learning-rate: expected a positive number")
        }
    }

    func execute() async throws {
        try OutputFile.requireOther(out, than: [demonstrations.demonstrations, model])
        try rank > 0
            ? OutputFile.prepareDirectory(out, for: PEFTAdapter.fileNames, force: force.isOn)
            : OutputFile.prepare(out, force: force.isOn)
        let file = try SafetensorsFile(path: model), policy = try Policy(file)
        try Batch.check(count: batch, policy.configuration, hint: "use a smaller --batch")
        let train = try demonstrations.read(.train, for: policy.configuration),
            valid = try demonstrations.read(.valid, for: policy.configuration)
        let start = try startingAdapter(policy)
        let peak = learningRate ?? (start == nil ? 1e-3 : 5e-3)
        let training = LocalTraining(
            steps: steps,
            batch: batch,
            sampling: .epochs,
            schedule: Schedule(peak: peak, warmupSteps: min(10, steps / 2), decayTo: 0.1, steps: steps),
            threads: threads
        )
        let outcome = try run(training, from: policy, start, on: train)
        let after = Evaluation.error(of: outcome.policy, on: valid, threads: threads)
        guard after.isFinite else {
            throw diverged("the tuned model's actions are not finite: its weights are too large to compute with")
        }
        try write(outcome, base: file)
        try show(
            Report(
                out: out,
                loss: outcome.loss,
                trainedParameters: outcome.adapter?.values.count ?? policy.weights.count,
                errorBefore: Evaluation.error(of: policy, on: valid, threads: threads),
                errorAfter: after
            )
        )
    }

    private func run(_ training: LocalTraining, from policy: Policy, _ adapter: Adapter?, on train: DemonstrationSet)
        throws -> LocalTraining.Outcome
    {
        var bar = ProgressBar("tuning", unit: "steps")
        defer { bar.finish() }
        do {
            return try training.run(
                from: policy,
                adapter: adapter,
                on: train,
                seed: SeededGenerator(seed: seed, label: "tune", round: 0)
            ) {
                bar.update($0.step, of: steps)
            }
        } catch let error as TrainingDivergence {
            throw diverged(error.message)
        }
    }

    private func diverged(_ message: String) -> ContractError {
        ContractError(
            "\(message); nothing was written",
            hint: "use a smaller --learning-rate, and check the values of the demonstrations"
        )
    }

    private func startingAdapter(_ policy: Policy) throws -> Adapter? {
        guard rank > 0 else { return nil }
        try adapter.check(for: policy.layout)
        let layout = AdapterLayout(base: policy.layout, rank: rank, targets: adapter.targets)
        try layout.checkTrainable()
        return Adapter(layout, scale: Float(adapter.alpha / Double(rank)), values: layout.initialValues(seed: seed))
    }

    private func write(_ outcome: LocalTraining.Outcome, base: SafetensorsFile) throws {
        guard let trained = outcome.adapter else {
            return try OutputFile.replace(out, force: force.isOn) { try outcome.policy.write(to: $0) }
        }
        let digest = try AdapterBase.digest(of: base)
        try OutputFile.replaceDirectory(out, files: PEFTAdapter.fileNames, force: force.isOn) {
            try PEFTAdapter.write(
                trained.values,
                of: trained.layout,
                alpha: adapter.alpha,
                targets: adapter.targets,
                base: model,
                baseDigest: digest,
                to: $0
            )
        }
    }

    private func show(_ report: Report) throws {
        if json.isOn { return try report.printJSON() }
        Terminal.print(
            "wrote \(out): \(report.trainedParameters) trained parameters, loss \(Format.number(report.loss, digits: 4))"
        )
        Terminal.print(
            """
            error on held-out demonstrations: \(Format.number(report.errorBefore, digits: 4)) before tuning, \
            \(Format.number(report.errorAfter, digits: 4)) after tuning
            """
        )
    }
}
