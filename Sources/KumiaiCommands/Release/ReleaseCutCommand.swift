import ArgumentParser
import Federation
import Transport

struct ReleaseCutCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "cut", abstract: "Cut the release that the finished campaign leads to.",
        discussion: "The release becomes a registered model: the next campaign can start from it. Cutting it again changes nothing.")

    @Argument(help: "The release's name, as in the plan.")
    var name: String

    @OptionGroup var options: OperatorOptions
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let release: String
        let model: String
        let directory: String
    }

    func execute() async throws {
        guard let name = ModelName(name) else { throw UsageError("\"\(name)\" is no name of a release") }
        guard case .releaseReady(let release, let model, let directory) = try await options.ask(.cutRelease(name)) else {
            throw TransportError(.unexpected, "the coordinator did not say whether the release is cut")
        }
        if json.isOn { return try Report(release: release.text, model: model.hex, directory: directory).printJSON() }
        Terminal.print("cut \(release) (\(model.short)) in \(directory)")
        Terminal.print("next: kumiai release show \(directory) --verify --ca ca.pem")
    }
}
