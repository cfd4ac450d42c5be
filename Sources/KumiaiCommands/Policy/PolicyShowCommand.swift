import Policies
import ArgumentParser
import Foundation
import Tensors

struct PolicyShowCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a policy's shape and its contract, which defines the data that it needs."
    )

    @Argument(
        help: ArgumentHelp("The model.", valueName: "model.safetensors"),
        completion: .file(extensions: ["safetensors"])
    )
    var model: String

    @Flag(name: .customLong("json"), help: "Print its config.json.")
    var json = false

    func execute() async throws {
        let policy = try Policy(SafetensorsFile(path: model))
        let c = policy.configuration
        if json { return Terminal.printJSON(c.json) }
        Terminal.print("\(model): \(policy.weights.count) parameters, \(c.objective.rawValue)")
        Terminal.print(
            """
            \(c.layers) layers of width \(c.width), \(c.heads) heads, feed-forward \(c.feedForward), \(c.tokens) \
            tokens, chunks of \(c.chunk) actions
            """
        )
        let rate =
            c.contract.controlHertz > 0 ? ", \(Format.number(c.contract.controlHertz, digits: 1)) steps per second" : ""
        Terminal.print("embodiment \(c.contract.embodiment)\(rate)")
        Terminal.print(
            c.words > 0 ? "instruction: \(c.words) words, attribute \(c.contract.instruction)" : "no instruction"
        )
        var features = Table([("OBSERVATION", .left), ("STEP", .right), ("NUMBERS", .left), ("UNIT", .left)])
        for camera in c.contract.cameras {
            features.append([camera.key, "0", "\(camera.height) × \(camera.width) × RGB", "bytes"])
        }
        for feature in c.contract.state {
            features.append([feature.key, "\(feature.offset)", "\(feature.count)", feature.unit])
        }
        features.lines().forEach { Terminal.print($0) }
        var actions = Table([("ACTION", .left), ("FROM", .right), ("TO", .right), ("UNIT", .left)])
        for dimension in c.contract.action.dimensions {
            actions.append([dimension.name, "\(dimension.minimum)", "\(dimension.maximum)", dimension.unit])
        }
        actions.lines().forEach { Terminal.print($0) }
        let modules = AdapterLayout(base: policy.layout, rank: 1, targets: ["qkv", "proj", "fc1", "fc2", "head"])
            .modules
        Terminal.print(
            """
            modules that can have an adapter: \
            \(Set(modules.compactMap { $0.name.split(separator: ".").last.map(String.init) }).sorted().joined(separator: ", "))
            """
        )
    }
}
