import Federation

/// The demo's results, as `--json` prints them.
struct DemoReport: Encodable {
    struct Errors: Encodable {
        let base: Double
        let alone: Double
        let federated: Double
    }

    struct TaskErrors: Encodable {
        let task: String
        let site: String
        let error: Errors
    }

    struct MeanErrors: Encodable {
        let base: Double
        let bestAlone: Double
        let federated: Double
    }

    let policy: String
    let rounds: Int
    let adapterRank: Int
    let compression: String
    let sites: Int
    let tasks: [TaskErrors]
    let meanError: MeanErrors
    let updatesAccepted: Int
    let bytesUp: UInt64
    let bytesDown: UInt64
    let ledgerEntries: Int
    let ledgerVerified: Bool
    let replayIdentical: Bool
    let release: String
    let seconds: Double

    init(
        policy: String,
        rounds: Int,
        options: PlanOptions,
        comparison: DemoComparison.Outcome,
        campaign: DemoConsortium.Outcome,
        audit: DemoAudit.Outcome,
        seconds: Double
    ) {
        self.policy = policy
        self.rounds = rounds
        adapterRank = options.loraRank
        compression = options.compression.rawValue
        sites = comparison.rows.count
        tasks = comparison.rows.map {
            TaskErrors(
                task: $0.task,
                site: $0.site,
                error: Errors(base: $0.base, alone: $0.alone, federated: $0.federated)
            )
        }
        meanError = MeanErrors(
            base: comparison.meanBase,
            bestAlone: comparison.bestAlone,
            federated: comparison.meanFederated
        )
        updatesAccepted = campaign.updatesAccepted
        bytesUp = campaign.bytesUp
        bytesDown = campaign.bytesDown
        ledgerEntries = audit.entries
        ledgerVerified = audit.verified
        replayIdentical = audit.replayIdentical
        release = DemoLayout.release.text
        self.seconds = (seconds * 10).rounded() / 10
    }

    func show(_ layout: DemoLayout) {
        func number(_ value: Double) -> String { Format.number(value, digits: 4) }
        Terminal.print()
        Terminal.print(
            "Mean absolute error of predicted actions on held-out demonstrations (actions in −1…1; lower is better):"
        )
        Terminal.print()
        var table = Table([
            ("TASK", .left), ("SITE", .left), ("BASE", .right), ("SITE ALONE", .right), ("FEDERATED", .right),
        ])
        for row in tasks {
            table.append([
                row.task, row.site, number(row.error.base), number(row.error.alone), number(row.error.federated),
            ])
        }
        table.append([
            "mean over all tasks", "", number(meanError.base), "\(number(meanError.bestAlone))*",
            number(meanError.federated),
        ])
        table.print()
        Terminal.print()
        Terminal.print(
            "* the best single site's model, over all tasks. What this shows: one model has every site's skill,"
        )
        Terminal.print("  without shared data. It does not show a gain on a site's own task.")
        Terminal.print()
        Terminal.print(
            """
            \(updatesAccepted) signed updates accepted, \(Format.bytes(bytesUp)) up, \(Format.bytes(bytesDown)) down, \
            \(Format.duration(seconds)) in total
            """
        )
        let good = Terminal.styled("verified", .green), bad = Terminal.styled("NOT VERIFIED", .red)
        Terminal.print(
            """
            ledger of \(counted(ledgerEntries, "entry", "entries")): \(ledgerVerified ? good : bad); last round \
            recomputed: \(replayIdentical ? "identical, bit for bit" : "DIFFERENT")
            """
        )
        Terminal.print()
        Terminal.print("All files are in \(layout.directory):")
        for (path, what) in [
            (layout.releaseDirectory, "release \(release)"), (layout.data, "ledger and blobs"),
            (layout.logs, "logs of the processes"),
            (layout.worker(layout.sites[0]) + "/data", "a site's receipts, and sent.jsonl: what the site sent"),
        ] {
            Terminal.print("  \(relative(path, to: layout).padded(44))  \(what)")
        }
        Terminal.print()
        Terminal.print("Try next:")
        Terminal.print("  kumiai release show \(layout.releaseDirectory) --verify --ca \(layout.authority)/ca.pem")
        Terminal.print("  kumiai audit verify \(layout.data) --ca \(layout.authority)/ca.pem")
        Terminal.print("  kumiai audit rounds \(layout.data)")
    }

    private func relative(_ path: String, to layout: DemoLayout) -> String {
        String(path.dropFirst(layout.directory.count + 1))
    }
}

extension String {
    fileprivate func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
