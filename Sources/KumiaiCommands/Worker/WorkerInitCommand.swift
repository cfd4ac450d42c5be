import ArgumentParser
import Foundation

struct WorkerInitCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Write a worker's configuration.",
        discussion: """
            The directory should contain ca.pem, certificate.pem and key.pem (kumiai pki request, kumiai pki issue).

            Example:
              kumiai worker init osaka --coordinator 127.0.0.1:7443 \\
                --demonstrations demos.hdf5
            """
    )

    @Argument(help: "The worker's directory.", completion: .directory)
    var directory: String

    @Option(help: ArgumentHelp("The coordinator's address.", valueName: "host:port"))
    var coordinator: String

    @Option(
        help: ArgumentHelp(
            "The site's demonstrations: a robomimic or ALOHA HDF5 file, or a directory of ALOHA files.",
            valueName: "path"
        ),
        completion: .file()
    )
    var demonstrations: String

    @Flag(help: "Stop the worker when a campaign has ended.")
    var exitWhenFinished = false

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let configuration: String
        let demonstrations: String
        /// Whether the configuration already existed, and which options were ignored for that reason.
        let kept: Bool
        let ignored: [String]
    }

    func execute() async throws {
        _ = try Endpoint(coordinator, key: "--coordinator")
        let path = directory + "/" + WorkerFile.name
        // Paths in the configuration are relative to its own directory, those on the command line to this one.
        let absolute =
            demonstrations.utf8.first == UInt8(ascii: "/") ? demonstrations : URL(fileURLWithPath: demonstrations).path
        let text = WorkerFile(
            coordinator: coordinator,
            exitWhenFinished: exitWhenFinished,
            training: .init(demonstrations: absolute)
        ).template
        let file = try ConfigurationWriter.write(text, to: path, isPrivate: true) { ignored(by: $0, absolute) }
        let used = try TOMLFile<WorkerFile>(path)
        let demonstrations = used.resolve(used.content.training.demonstrations)
        if !FileManager.default.fileExists(atPath: demonstrations) {
            Terminal.printNotice("there are no demonstrations at \(demonstrations) yet")
        }
        if json.isOn {
            return try Report(
                configuration: path,
                demonstrations: demonstrations,
                kept: file.kept,
                ignored: file.ignored
            ).printJSON()
        }
        Terminal.print("next: kumiai worker doctor --config \(path.shellQuoted)")
    }

    private func ignored(by kept: TOMLFile<WorkerFile>, _ demonstrations: String) -> [String] {
        let content = kept.content
        return [
            content.coordinator == coordinator ? nil : "--coordinator \(coordinator)",
            kept.resolve(content.training.demonstrations) == demonstrations
                ? nil : "--demonstrations \(self.demonstrations)",
            exitWhenFinished && !content.exitWhenFinished ? "--exit-when-finished" : nil,
        ].compactMap(\.self)
    }
}
