import Federation
import Identity
import Transport
import Wire

/// Shows a campaign until it ends, also over restarts of its coordinator.
struct CampaignWatch {
    let options: OperatorOptions
    let output: LiveView.Output

    /// The report of the campaign's end.
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
                "the coordinator does not know the campaign any more",
                hint: "was its data directory replaced by an older copy? ask its operator"
            )
        }
        return report
    }

    /// Whether the same question may be answered later: a coordinator that is started again, or a network that is down.
    static func mayPass(_ error: any Error) -> Bool {
        switch error {
        case is CancellationError, is UsageError: false
        case let refusal as Refusal: refusal.code == .unavailable || refusal.code == .limit
        // A connection that breaks off in the handshake tells nothing about the certificates.
        case let error as IdentityError:
            error.code == .truncated || error.code == .handshake && !error.detail.contains("alert")
        case let error as TransportError: [.unreachable, .closed, .timeout].contains(error.code)
        // Errors of NIO and of the system: a connection that was reset.
        default: true
        }
    }
}
