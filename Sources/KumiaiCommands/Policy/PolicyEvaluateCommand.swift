import Contracts
import Trainers
import ArgumentParser
import Federation

struct PolicyEvaluateCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measure the error of a policy's actions on held-out demonstrations.",
        discussion: """
            Prints the error of whole chunks in normalised units, and the error of each executed action dimension in \
            the contract's unit. Executed actions are chunks averaged by temporal ensembling, as a robot executes them.
            """
    )

    @Argument(
        help: ArgumentHelp("The model.", valueName: "model.safetensors"),
        completion: .file(extensions: ["safetensors"])
    )
    var model: String

    @OptionGroup var demonstrations: DemonstrationOptions

    @Option(
        help: ArgumentHelp("A PEFT adapter to merge into the model first.", valueName: "directory"),
        completion: .directory
    )
    var adapter: String?

    @Flag(help: "Measure on the training split instead of the held-out one.")
    var train = false

    @Option(help: "Number of threads.")
    var threads = 2

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let error: Double
        let executed: [String: Double]
        let samples: Int
        let demonstrations: Int
    }

    func validate() throws {
        guard (1...256).contains(threads) else { throw ValidationError("--threads: expected 1 to 256") }
    }

    func execute() async throws {
        let policy = try PolicyFile.load(model, adapter: adapter)
        let set = try demonstrations.read(train ? .train : .valid, for: policy.configuration)
        let evaluation = Evaluation(of: policy, on: set, threads: threads)
        guard evaluation.error.isFinite else {
            throw ContractError(
                """
                the actions of \(model) are not finite on these demonstrations: its weights are too large to compute \
                with
                """,
                hint: "use an earlier version of the model, from before its training diverged"
            )
        }
        let dimensions = policy.configuration.contract.action.dimensions
        if json.isOn {
            let executed = Dictionary(zip(dimensions.map(\.name), evaluation.executed)) { first, _ in first }
            return try Report(
                error: evaluation.error,
                executed: executed,
                samples: set.count,
                demonstrations: set.demonstrationCount
            ).printJSON()
        }
        Terminal.print(
            """
            \(counted(set.demonstrationCount, "demonstration")), \(counted(set.count, "sample")) of the tasks \
            \(set.tasks.joined(separator: ", "))
            """
        )
        Terminal.print("mean absolute error of chunks, normalised: \(Format.number(evaluation.error, digits: 4))")
        var table = Table([("EXECUTED", .left), ("ERROR", .right), ("UNIT", .left)])
        for (dimension, error) in zip(dimensions, evaluation.executed) {
            table.append([dimension.name, Format.number(error, digits: 4), dimension.unit])
        }
        table.lines().forEach { Terminal.print($0) }
    }
}
