import Federation
import Foundation

/// A campaign as it goes on: on a terminal a table that is drawn over, in a pipe a line a round.
struct LiveView {
    /// Where it goes: standard error where standard output holds only JSON.
    enum Output {
        case standardOutput, standardError

        var isInteractive: Bool { self == .standardOutput ? Terminal.isInteractive : Terminal.isErrorInteractive }
        var stream: StandardStream { self == .standardOutput ? .output : .error }
        var window: WindowSize { WindowSize(of: self == .standardOutput ? STDOUT_FILENO : STDERR_FILENO) }

        func say(_ text: String) { stream.print(StyledText(text)) }
    }

    /// Since when a campaign is watched, and how many of its rounds were committed then: those say nothing about the
    /// rate.
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
    /// That the coordinator cannot be reached at the moment, and why.
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
            if !output.isInteractive { output.say("the coordinator answers again") }
        }
        last = report
        if output.isInteractive { draw() } else { log(report, campaign) }
    }

    /// Says once why the coordinator cannot be reached; the view stays as it was.
    mutating func showUnreachable(_ reason: String) {
        let isNew = problem == nil
        problem = "the coordinator cannot be reached, trying again: \(reason)"
        if output.isInteractive { draw() } else if isNew { output.say(problem ?? "") }
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
        // Rounds that were committed between two looks: what the sites' losses were then is not known.
        if lastCommitted >= 0, campaign.committed > lastCommitted + 1 {
            for round in lastCommitted + 1..<campaign.committed {
                output.say("round \(round)/\(campaign.rounds) committed")
            }
        }
        lastCommitted = campaign.committed
        let losses = report.sites.filter { $0.heartbeat.localLoss != 0 }.map {
            "\($0.site.site) \(Format.number($0.heartbeat.localLoss, digits: 3))"
        }
        output.say(
            "round \(campaign.committed)/\(campaign.rounds) committed"
                + (losses.isEmpty ? "" : "; local loss: \(losses.joined(separator: ", "))")
        )
    }

    func finish() { if output.isInteractive { output.say("") } }
}
