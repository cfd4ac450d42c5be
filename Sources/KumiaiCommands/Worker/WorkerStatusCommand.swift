import ArgumentParser
import Coordinator
import Federation
import Glibc
import Worker

struct WorkerStatusCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what this site's worker is doing.",
        discussion: """
            Reads the worker's data directory; needs no connection.

            Exit codes, for monitoring:
              0   it runs, is connected to the coordinator, and has no problem
              1   its status cannot be read
              4   it runs, but is not connected to the coordinator
              6   the configuration is wrong, or no worker has run with it yet
              7   it does not run
              8   it runs, but something is wrong: the output says what
              9   this user cannot see whether it runs
            """
    )

    @Option(name: .shortAndLong, help: WorkerFile.help, completion: .file(extensions: ["toml"]))
    var config = WorkerFile.defaultPath

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let running: Bool
        /// running, stopped or unknown.
        let state: WorkerStatus.Liveness
        /// The problem of a running worker.
        let problem: String?
        let status: WorkerStatus
    }

    func execute() async throws {
        try requireReadable(config)
        let directory = try WorkerFile.dataDirectory(config)
        try requireReadable(directory)
        guard let status = try WorkerStatus.read(from: directory) else {
            throw UsageError(
                "no worker has run with \(config) yet",
                hint: "kumiai worker run --config \(config.shellQuoted)"
            )
        }
        let health = WorkerHealth(status, status.liveness, now: systemTime())
        if json.isOn {
            try Report(
                running: health.liveness == .running,
                state: health.liveness,
                problem: health.problem,
                status: status
            ).printJSON()
        } else {
            for line in health.lines(dataDirectory: directory, certificate: try? WorkerFile.load(config).certificate) {
                Terminal.print(line)
            }
        }
        if let code = health.exitCode { throw code }
    }

    /// A user other than the worker's may not be able to read its configuration or its directory.
    private func requireReadable(_ path: String) throws {
        guard access(path, R_OK) != 0, errno == EACCES else { return }
        let hint = "run this command as the user that runs the worker"
        Terminal.error("cannot tell whether the worker runs: this user may not read \(path)", hint: hint)
        if json.isOn { try ErrorOutput(ExitCode(9), "this user may not read \(path)", hint: hint).printJSON() }
        throw ExitCode(9)
    }
}
