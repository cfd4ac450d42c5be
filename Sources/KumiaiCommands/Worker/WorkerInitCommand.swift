import ArgumentParser
import Foundation

struct WorkerInitCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write a worker's configuration.",
        discussion: """
            The directory should hold ca.pem, certificate.pem and key.pem (kumiai pki request, kumiai pki issue).

            Example:
              kumiai worker init osaka --coordinator 127.0.0.1:7443 --demonstrations demos.hdf5
            """)

    @Argument(help: "The worker's directory.")
    var directory: String

    @Option(help: ArgumentHelp("The coordinator's address.", valueName: "host:port"))
    var coordinator: String

    @Option(help: ArgumentHelp("The site's demonstrations: robomimic HDF5.", valueName: "file"))
    var demonstrations: String

    @Flag(help: "End the worker when a campaign has ended.")
    var exitWhenFinished = false

    func execute() async throws {
        _ = try Endpoint(coordinator, key: "--coordinator")
        let path = directory + "/" + WorkerFile.name
        // The configuration counts paths from its own directory; the command line counts from here.
        let absolute = demonstrations.hasPrefix("/") ? demonstrations : URL(fileURLWithPath: demonstrations).path
        try ConfigurationWriter.write(
            WorkerFile.text(coordinator: coordinator, demonstrations: absolute, exitWhenFinished: exitWhenFinished), to: path,
            isPrivate: true)
        Terminal.print("next: kumiai worker doctor --config \(path)")
    }
}
