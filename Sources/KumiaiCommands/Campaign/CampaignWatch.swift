import Federation
import Identity
import Transport
import Wire

/// Shows a campaign until it ends, even if its coordinator restarts meanwhile.
struct CampaignWatch {
    let options: OperatorOptions
    let output: LiveView.Output

    /// Returns the last report, when the campaign has ended.
    func follow(_ first: StatusReport) async throws -> StatusReport {
        var report = first
        var view = LiveView(output)
        defer { view.finish() }
        view.show(report)
        while report.campaign?.hasEnded == false {
            try await Task.sleep(for: .seconds(1))
            do {
                report = try await options.status()
                view.show(report)
            } catch  where Self.mayPass(error) {
                view.showUnreachable(Failure(error).message)
            }
        }
        guard report.campaign != nil else {
            throw UsageError(
                "the coordinator no longer knows the campaign",
                hint: "its data directory may have been replaced by an older copy: ask the coordinator's operator"
            )
        }
        return report
    }

    /// Whether a retry may succeed: the coordinator restarts, or the network is down.
    static func mayPass(_ error: any Error) -> Bool {
        switch error {
        case is CancellationError, is UsageError: false
        case let refusal as Refusal: refusal.code == .unavailable || refusal.code == .limit
        // A connection that breaks during the handshake says nothing about the certificates.
        case let error as IdentityError:
            error.code == .truncated || error.code == .handshake && !error.detail.contains("alert")
        case let error as TransportError: [.unreachable, .closed, .timeout].contains(error.code)
        // Errors of NIO and of the system, such as a connection reset.
        default: true
        }
    }
}
