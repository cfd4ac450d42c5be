import ArgumentParser
import Coordinator
import Federation
import Worker

struct WorkerStatusCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Say what this site's worker is doing.", discussion: "Reads the worker's directory; asks nobody.")

    @Option(name: .shortAndLong, help: ArgumentHelp("The worker's configuration.", valueName: "file"))
    var config = WorkerFile.name

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let running: Bool
        let status: WorkerStatus
    }

    func execute() async throws {
        let configuration = try WorkerFile.load(config)
        guard let status = try WorkerStatus.read(from: configuration.dataDirectory) else {
            throw UsageError("no worker has run with \(config) yet", hint: "kumiai worker run --config \(config)")
        }
        if json.isOn { return try Report(running: status.isRunning, status: status).printJSON() }
        let seen = Format.ago(Timestamp(milliseconds: status.atMilliseconds), now: systemTime())
        let link = status.connected ? "connected" : "not connected"
        Terminal.print("\(status.site): \(status.isRunning ? "running (pid \(status.pid)), \(link)" : "not running, last \(link)"), \(seen)")
        Terminal.print(
            "\(status.isRunning ? "now: " : "then:")     \(status.activity)\(status.round > 0 ? ", round \(status.round), \(Int(status.progress * 100)) %" : "")"
        )
        if let heard = status.heardMilliseconds {
            Terminal.print("heard:    \(Format.ago(Timestamp(milliseconds: heard), now: systemTime())) from the coordinator")
        }
        if let trouble = status.trouble { Terminal.print("trouble:  \(trouble)") }
        for line in CertificateLines.of(status, configuration) { Terminal.print(line) }
        Terminal.print("sent:     \(Format.bytes(status.bytesUp)), fetched \(Format.bytes(status.bytesDown))")
        Terminal.print("receipts: \(status.receipts), in \(configuration.dataDirectory)/receipts")
    }
}
