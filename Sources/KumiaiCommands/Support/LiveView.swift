import Federation
import Foundation

/// A campaign as it goes on: on a terminal a table that is drawn over, in a pipe a line a round.
struct LiveView {
    /// Where it goes: standard error where standard output holds only JSON.
    enum Output {
        case standardOutput, standardError

        var isInteractive: Bool { self == .standardOutput ? Terminal.isInteractive : Terminal.isErrorInteractive }
        var stream: StandardStream { self == .standardOutput ? .output : .error }

        func say(_ text: String) { stream.print(StyledText(text)) }
    }

    private let output: Output
    private let started = Date()
    private var drawnLines = 0
    private var lastCommitted = -1
    /// Rounds that were committed when the view began: they say nothing about the pace.
    private var firstCommitted: Int?

    init(_ output: Output) { self.output = output }

    mutating func show(_ report: StatusReport) {
        guard let campaign = report.campaign else { return }
        firstCommitted = firstCommitted ?? campaign.committed
        if output.isInteractive { draw(report, campaign) } else { log(report, campaign) }
    }

    private mutating func draw(_ report: StatusReport, _ campaign: CampaignReport) {
        let seconds = Date().timeIntervalSince(started)
        let first = firstCommitted ?? 0
        let bar = ProgressBar.text(
            "\(campaign.campaign)", "rounds", done: campaign.committed - first, total: campaign.rounds - first, seconds: seconds)
        let lines = SiteTable.table(report).lines() + ["", StyledText(bar)]
        var text = drawnLines > 0 ? "\u{1b}[\(drawnLines)A" : ""
        for line in lines { text += "\u{1b}[2K\(output.stream.rendered(line))\n" }
        drawnLines = lines.count
        output.stream.write(trusted: text)
    }

    private mutating func log(_ report: StatusReport, _ campaign: CampaignReport) {
        guard campaign.committed != lastCommitted else { return }
        lastCommitted = campaign.committed
        let losses = report.sites.map { "\($0.site.site) \(Format.number($0.heartbeat.localLoss, digits: 3))" }.joined(separator: ", ")
        output.say("round \(campaign.committed)/\(campaign.rounds) committed; local loss: \(losses)")
    }

    func finish() { if output.isInteractive { output.say("") } }
}
