import ArgumentParser
import Federation
import Worker

/// A worker's state, from its status file and this machine's processes.
struct WorkerHealth {
    let status: WorkerStatus
    let liveness: WorkerStatus.Liveness
    private let now: Timestamp

    init(_ status: WorkerStatus, _ liveness: WorkerStatus.Liveness, now: Timestamp) {
        (self.status, self.liveness, self.now) = (status, liveness, now)
    }

    private var writtenAt: Timestamp { Timestamp(milliseconds: status.atMilliseconds) }

    /// The problem of a running worker; `nil` if there is none.
    var problem: String? {
        guard liveness == .running else { return nil }
        if now > writtenAt.adding(seconds: WorkerStatus.stalenessSeconds) {
            return
                """
                it has not written its status for \
                \(Format.duration(Double(now.milliseconds - writtenAt.milliseconds) / 1000)): does the process hang, \
                or is its disk full?
                """
        }
        return status.trouble ?? status.certificateNotice ?? status.clockNotice
    }

    /// As `kumiai worker status --help` documents it; `nil` for a worker without problems.
    var exitCode: ExitCode? {
        switch liveness {
        case .stopped: ExitCode(7)
        case .unknown: ExitCode(9)
        case .running: !status.connected ? ExitStatus.unreachable : problem != nil ? ExitCode(8) : nil
        }
    }

    /// `certificate`: its file; `nil` if this user cannot read the configuration.
    func lines(dataDirectory: String, certificate: String? = nil) -> [String] {
        let link = status.connected ? "connected" : "not connected"
        let seen = Format.ago(writtenAt, now: now)
        let state =
            switch liveness {
            case .running: "running (pid \(status.pid)), \(link), \(seen)"
            case .stopped: "not running; it was \(link) when it last wrote its status, \(seen)"
            case .unknown:
                """
                unknown whether it runs: there is a process \(status.pid), which this user may not inspect; its \
                status was written \(seen)
                """
            }
        let isWaiting = status.activity == Activity.waiting.rawValue
        let part = isWaiting ? "" : ", \(percent(status.progress))"
        let progress = status.round > 0 ? ", round \(status.round)\(part)" : ""
        var lines = [
            "\(status.site): \(state)", "\(liveness == .running ? "now: " : "then:")     \(status.activity)\(progress)",
        ]
        if let reason = status.waitsBecause, liveness == .running { lines.append("because:  \(reason)") }
        if let heard = status.heardMilliseconds {
            lines.append("heard:    from the coordinator \(Format.ago(Timestamp(milliseconds: heard), now: now))")
        }
        let notices = [status.certificateNotice, status.clockNotice]
        if let problem = problem ?? status.trouble, !notices.contains(problem) { lines.append("trouble:  \(problem)") }
        lines += CertificateLines.of(status, certificate: certificate)
        lines.append("sent:     \(Format.bytes(status.bytesUp)), fetched \(Format.bytes(status.bytesDown))")
        lines.append("receipts: \(status.receipts), in \(dataDirectory)/receipts")
        return lines
    }

    private func percent(_ part: Double) -> String { "\(Int(100 * min(1, max(0, part)))) %" }
}
