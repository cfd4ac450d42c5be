import Federation
import Foundation

/// Shows a running campaign: on a terminal as a table that is updated in place, in a pipe as one line per round.
struct LiveView {
    /// Where the view is printed: standard error if standard output must contain only JSON.
    enum Output {
        case standardOutput, standardError

        var isInteractive: Bool { self == .standardOutput ? Terminal.isInteractive : Terminal.isErrorInteractive }
        var stream: StandardStream { self == .standardOutput ? .output : .error }
        var window: WindowSize { WindowSize(of: self == .standardOutput ? STDOUT_FILENO : STDERR_FILENO) }

        func print(_ text: String) { stream.print(StyledText(text)) }
    }

    /// When watching began, and how many rounds were committed by then: those rounds do not count for the rate.
    private struct Start {
        let campaign: CampaignID
        let committed: Int
        let time = Date()
    }

    private let output: Output
    private var start: Start?
    private var last: StatusReport?
    private var drawing = InPlaceDrawing()
    private var lastCommitted = -1
    /// Why the coordinator cannot be reached now; `nil` if it can.
    private var problem: String?

    init(_ output: Output) { self.output = output }

    mutating func show(_ report: StatusReport) {
        guard let campaign = report.campaign else { return }
        if start?.campaign != campaign.campaign {
            start = Start(campaign: campaign.campaign, committed: campaign.committed)
            lastCommitted = -1
        }
        if problem != nil {
            problem = nil
            if !output.isInteractive { output.print("the coordinator answers again") }
        }
        last = report
        if output.isInteractive { draw() } else { log(report, campaign) }
    }

    /// Reports once why the coordinator cannot be reached; the rest of the view does not change.
    mutating func showUnreachable(_ reason: String) {
        let isNew = problem == nil
        problem = "the coordinator cannot be reached, trying again: \(reason)"
        if output.isInteractive { draw() } else if isNew { output.print(problem ?? "") }
    }

    private mutating func draw() {
        guard let report = last, let campaign = report.campaign, let start else { return }
        let window = output.window
        let bar = ProgressBar.text(
            "\(campaign.campaign)",
            "rounds",
            done: campaign.committed,
            total: campaign.rounds,
            startedAt: start.committed,
            seconds: Date().timeIntervalSince(start.time),
            columns: window.columns
        )
        output.stream.write(
            trusted: drawing.draw(LiveFrame(report: report, bar: bar, notice: problem).lines(in: window), in: window)
        )
    }

    private mutating func log(_ report: StatusReport, _ campaign: CampaignReport) {
        guard campaign.committed != lastCommitted else { return }
        // Rounds that were committed between two polls: the sites' losses in them are unknown.
        if lastCommitted >= 0, campaign.committed > lastCommitted + 1 {
            for round in lastCommitted + 1..<campaign.committed {
                output.print("round \(round)/\(campaign.rounds) committed")
            }
        }
        lastCommitted = campaign.committed
        let losses = report.sites.filter { $0.heartbeat.localLoss != 0 }.map {
            "\($0.site.site) \(Format.number($0.heartbeat.localLoss, digits: 3))"
        }
        output.print(
            "round \(campaign.committed)/\(campaign.rounds) committed"
                + (losses.isEmpty ? "" : "; local loss: \(losses.joined(separator: ", "))")
        )
    }

    func finish() { if output.isInteractive { output.print("") } }
}
