import ArgumentParser
import Federation

struct CampaignAmendCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "amend",
        abstract: "Change who takes part in a campaign, or how long it waits.",
        discussion: """
            What sites train, what they send and how it is bounded was promised to them and cannot be changed. A \
            dropped site is not asked again, and what it had sent counts; an added one joins at the next round. A \
            changed deadline holds for the open round too.

            Example:
              kumiai campaign amend FY2026-FY2027 --drop bolt/turin --quorum 2 \\
                --reason "the plant in Turin has closed"
            """
    )

    @Option(
        name: .customLong("add"),
        help: ArgumentHelp("A site that takes part from now on; repeat it.", valueName: "member/site")
    )
    var added: [String] = []

    @Option(
        name: .customLong("drop"),
        help: ArgumentHelp("A site that is not asked any more; repeat it.", valueName: "member/site")
    )
    var dropped: [String] = []

    @Option(help: "Updates that a round needs at least.")
    var quorum: Int?

    @Option(help: "How long a round waits for further sites once its quorum is present.")
    var recruitingSeconds: Int?

    @Option(help: "How long a round waits for its quorum before it is abandoned; 0 is for ever.")
    var recruitingDeadlineSeconds: Int?

    @Option(help: "How long a round collects updates.")
    var deadlineSeconds: Int?

    @Option(help: "By how much a deadline is extended.")
    var extensionSeconds: Int?

    @Option(help: "How often a deadline is extended in one attempt at a round.")
    var maximumExtensions: Int?

    @OptionGroup var change: CampaignChangeOptions

    func validate() throws {
        guard (extensionSeconds == nil) == (maximumExtensions == nil) else {
            throw ValidationError("--extension-seconds and --maximum-extensions belong together: give both")
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
                "nothing is amended",
                code: .validationFailure,
                hint: "kumiai campaign amend --help names what can be"
            )
        }
        try await change.make(.amend(amendment))
    }

    private static func sites(_ texts: [String], _ option: String) throws -> [SiteID] {
        try texts.map { text in
            guard let site = SiteID(text) else {
                throw UsageError("\(option): \"\(text)\" is not of the form member/site")
            }
            return site
        }
    }
}
