import Contracts
import Policies
import ArgumentParser
import Foundation
import Tensors

struct PolicyInitCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make a new, untrained policy from a config.json.",
        discussion: """
            config.json defines the policy's shape and its contract: the robot, the cameras, the state and the \
            actions with their units, ranges and normalisation. Without a file, the command prints an example.

            Example:
              kumiai policy init > config.json
              kumiai policy init config.json --out base.safetensors
            """
    )

    @Argument(
        help: ArgumentHelp("The policy's configuration.", valueName: "config.json"),
        completion: .file(extensions: ["json"])
    )
    var configuration: String?

    @Option(
        help: ArgumentHelp("Where to write the model.", valueName: "file"),
        completion: .file(extensions: ["safetensors"])
    )
    var out: String?

    @Option(help: "The seed for the initial weights.")
    var seed: UInt64 = 0

    @OptionGroup var force: ForceOption
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let model: String
        let parameters: Int
    }

    func execute() async throws {
        guard let configuration else {
            guard out == nil else {
                throw ValidationError("expected a config.json: `kumiai policy init > config.json` prints an example")
            }
            return Terminal.printJSON(try PolicyExample.text())
        }
        guard let out else { throw ValidationError("--out is missing: name the file to write the model to") }
        try OutputFile.prepare(out, force: force.isOn)
        let policy = Policy(try Self.read(configuration), seed: seed)
        try policy.layout.checkFinite(policy.weights, called: out)
        try OutputFile.replace(out, force: force.isOn) { try policy.write(to: $0) }
        if json.isOn { return try Report(model: out, parameters: policy.weights.count).printJSON() }
        Terminal.print("wrote \(out): \(policy.weights.count) parameters")
        Terminal.print("next: kumiai policy show \(out.shellQuoted)")
    }

    private static let maximumBytes = 1 << 20

    private static func read(_ path: String) throws -> PolicyConfiguration {
        do {
            return try PolicyConfiguration(
                json: String(decoding: RegularFile.read(path, atMost: maximumBytes), as: UTF8.self)
            )
        } catch let error as InputFileError {
            throw UsageError(error.message, hint: error.hint)
        } catch let error as ContractError {
            throw ContractError("\(path): \(error.message)", hint: error.hint)
        }
    }
}

/// An example configuration to start from.
enum PolicyExample {
    /// Indented, so that it is easy to edit.
    static func text() throws -> String {
        let object = try JSONSerialization.jsonObject(with: Data(aloha.json.utf8))
        let data = try JSONSerialization.data(withJSONObject: object, options: [.prettyPrinted, .sortedKeys])
        return String(decoding: data, as: UTF8.self)
    }

    /// ALOHA's two arms with two cameras, trained by flow matching.
    static var aloha: PolicyConfiguration {
        let joints = ["waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate", "gripper"]
        let dimensions = ["left", "right"].flatMap { arm in
            joints.map {
                ActionSpace.Dimension(
                    name: "\(arm)_\($0)",
                    unit: $0 == "gripper" ? "1" : "rad",
                    minimum: -3.2,
                    maximum: 3.2
                )
            }
        }
        return PolicyConfiguration(
            Contract(
                embodiment: "aloha",
                controlHertz: 50,
                instruction: "language_instruction",
                action: ActionSpace(space: "joint positions", dimensions: dimensions),
                state: [
                    StateFeature(
                        key: "qpos",
                        unit: "rad",
                        mean: [Float](repeating: 0, count: 14),
                        std: [Float](repeating: 1, count: 14)
                    )
                ],
                cameras: [Camera(key: "top", height: 48, width: 64), Camera(key: "angle", height: 48, width: 64)]
            ),
            objective: .flowMatching,
            patchSide: 8,
            width: 128,
            layers: 4,
            heads: 4,
            feedForward: 512,
            chunk: 16
        )
    }
}
