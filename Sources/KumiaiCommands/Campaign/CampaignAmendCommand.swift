import ArgumentParser
import Federation

struct CampaignAmendCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "amend",
        abstract: "Change a campaign's sites, quorum or deadlines.",
        discussion: """
            What sites train, what they send and how it is bounded was promised to them and cannot be changed. A \
            dropped site gets no more tasks, but the updates that it has sent still count. An added site joins at the \
            next round. A changed deadline applies to the open round too.

            Example:
              kumiai campaign amend FY2026-FY2027 --drop bolt/turin --quorum 2 \\
                --reason "the plant in Turin has closed"
            """
    )

    @Option(
        name: .customLong("add"),
        help: ArgumentHelp("A site to add; may be repeated.", valueName: "member/site")
    )
    var added: [String] = []

    @Option(
        name: .customLong("drop"),
        help: ArgumentHelp("A site to drop; may be repeated.", valueName: "member/site")
    )
    var dropped: [String] = []

    @Option(help: "The least number of updates that a round needs.")
    var quorum: Int?

    @Option(help: "How long a round waits for more sites when its quorum is present.")
    var recruitingSeconds: Int?

    @Option(help: "How long a round waits for its quorum before it is abandoned; 0: without limit.")
    var recruitingDeadlineSeconds: Int?

    @Option(help: "How long a round collects updates.")
    var deadlineSeconds: Int?

    @Option(help: "By how many seconds a deadline is extended.")
    var extensionSeconds: Int?

    @Option(help: "How many times a deadline is extended in one attempt at a round.")
    var maximumExtensions: Int?

    @OptionGroup var change: CampaignChangeOptions

    func validate() throws {
        guard (extensionSeconds == nil) == (maximumExtensions == nil) else {
            throw ValidationError("--extension-seconds and --maximum-extensions are used together: give both")
        }
        for (name, value) in [
            ("quorum", quorum), ("recruiting-seconds", recruitingSeconds),
            ("recruiting-deadline-seconds", recruitingDeadlineSeconds),
            ("deadline-seconds", deadlineSeconds), ("extension-seconds", extensionSeconds),
            ("maximum-extensions", maximumExtensions),
        ] {
            let limit =
                name == "quorum"
                ? PlanLimits.sites : name == "maximum-extensions" ? PlanLimits.extensions : PlanLimits.seconds
            let least = ["quorum", "deadline-seconds"].contains(name) ? 1 : 0
            guard let value, !(least...limit).contains(value) else { continue }
            throw ValidationError("--\(name): expected \(least) to \(limit)")
        }
    }

    func execute() async throws {
        let amendment = PlanAmendment(
            addedSites: try Self.sites(added, "--add"),
            droppedSites: try Self.sites(dropped, "--drop"),
            quorum: quorum,
            recruitingSeconds: recruitingSeconds,
            recruitingDeadlineSeconds: recruitingDeadlineSeconds,
            deadlineSeconds: deadlineSeconds,
            extensions: extensionSeconds.map { Extensions(seconds: $0, maximum: maximumExtensions ?? 0) }
        )
        guard !amendment.isEmpty else {
            throw UsageError(
                "expected at least one change",
                code: .validationFailure,
                hint: "kumiai campaign amend --help lists what can be changed"
            )
        }
        try await change.make(.amend(amendment))
    }

    private static func sites(_ texts: [String], _ option: String) throws -> [SiteID] {
        try texts.map { text in
            guard let site = SiteID(text) else {
                throw UsageError("\(option) is \"\(text)\"; expected member/site")
            }
            return site
        }
    }
}
