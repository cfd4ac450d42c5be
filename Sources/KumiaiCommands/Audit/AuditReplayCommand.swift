import ArgumentParser
import Audit
import Federation

struct AuditReplayCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Recompute rounds from their stored updates and compare the digests.",
        usage: """
            kumiai audit replay <round> <copy> [--campaign <campaign>] [--ca <ca.pem>] [--json]
            kumiai audit replay --all <copy> [--campaign <campaign>] [--ca <ca.pem>] [--json]
            """,
        discussion: """
            Exits with 3 if a result differs from the recorded one in any bit. With --all, also exits with 3 if a blob \
            that a round needs is missing or damaged; rounds whose updates were pruned cannot be replayed and are \
            listed. A release that was cut from a round with an adapter is recomputed with its round.
            """
    )

    @Argument(
        help: ArgumentHelp(
            "The round's number, unless --all is given; then a copy of the coordinator's data directory.",
            valueName: "round-and-copy"
        ),
        completion: .directory
    )
    var words: [String]

    @Flag(help: "Replay every committed round whose updates are still stored.")
    var all = false

    @Option(help: "The campaign; default: the newest one with that round, with --all every campaign.")
    var campaign: String?

    @OptionGroup var authority: AuthorityOption
    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let campaign: String
        let round: Int
        let updates: Int
        let recorded: String
        let computed: String
        let recordedAdapter: String?
        let computedAdapter: String?
        let release: Release?
        let identical: Bool

        struct Release: Encodable {
            let name: String
            let recorded: String
            let computed: String

            init(_ release: Replay.Release) {
                (name, recorded, computed) = (release.name.text, release.recorded.hex, release.computed.hex)
            }
        }
    }

    func validate() throws {
        if all {
            guard words.count == 1 else {
                throw ValidationError("--all takes one argument, the copy, because it replays every round")
            }
        } else {
            guard words.count == 2 else {
                throw ValidationError("expected a round's number and the copy, or --all and the copy")
            }
            guard Int(words[0]) != nil else { throw ValidationError("\"\(words[0])\" is not a round's number") }
        }
    }

    func execute() async throws {
        let name = try campaign.map { text in
            guard let name = CampaignID(text) else { throw UsageError("\"\(text)\" is not a valid campaign name") }
            return name
        }
        let copy = try authority.open(words.last ?? "")
        if all { try replayAll(copy, campaign: name) } else { try replay(Int(words[0]) ?? 0, copy, campaign: name) }
    }

    private func replay(_ round: Int, _ copy: LedgerCopy, campaign: CampaignID?) throws {
        let replay = try Replay.run(copy, round: round, campaign: campaign)
        let report = Report(
            campaign: replay.campaign.text,
            round: round,
            updates: replay.task.contributions.count,
            recorded: replay.recorded.model.hex,
            computed: replay.computed.model.hex,
            recordedAdapter: replay.recorded.adapter?.digest.hex,
            computedAdapter: replay.computed.adapter?.digest.hex,
            release: replay.release.map(Report.Release.init),
            identical: replay.isIdentical
        )
        if json.isOn {
            try report.printJSON()
        } else {
            Terminal.print(
                """
                round \(round) of \(replay.campaign): \(counted(report.updates, "update")), weight \
                \(replay.task.totalWeight), scale 2^-\(replay.task.scaleBits)
                """
            )
            Terminal.print("recorded  \(report.recorded)")
            Terminal.print("computed  \(report.computed)")
            if let adapter = report.recordedAdapter { Terminal.print("adapter   recorded \(adapter)") }
            if let adapter = report.computedAdapter { Terminal.print("          computed \(adapter)") }
            if let release = report.release {
                Terminal.print("release   \(release.name): recorded \(release.recorded)")
                Terminal.print("          computed \(release.computed)")
            }
            Terminal.print(
                report.identical
                    ? Terminal.styled("identical", .green) + ", bit for bit" : Terminal.styled("DIFFERENT", .red)
            )
        }
        if !report.identical { throw ExitStatus.tampered }
    }

    private func replayAll(_ copy: LedgerCopy, campaign: CampaignID?) throws {
        var bar = ProgressBar("replaying", unit: "rounds")
        defer { bar.finish() }
        let outcomes = try Replay.all(copy, campaign: campaign) { bar.update($0, of: $1) }
        bar.finish()
        let report = ReplayReport(outcomes)
        if json.isOn { try report.printJSON() } else { report.show() }
        if !report.sound { throw ExitStatus.tampered }
    }
}
