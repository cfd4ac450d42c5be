import Audit
import Federation

/// The report of `audit replay --all`.
struct ReplayReport: Encodable {
    struct Round: Encodable {
        let campaign: String
        let round: Int
        let updates: Int
        /// identical, different, pruned or unreadable.
        let result: String
        let problem: String?
    }

    let sound: Bool
    let identical: Int
    let different: Int
    let pruned: Int
    let unreadable: Int
    let rounds: [Round]

    init(_ outcomes: [Replay.Outcome]) {
        sound = outcomes.allSatisfy(\.isSound)
        let rounds = outcomes.map(Self.round)
        func count(_ result: String) -> Int { rounds.count { $0.result == result } }
        identical = count("identical")
        different = count("different")
        pruned = count("pruned")
        unreadable = count("unreadable")
        self.rounds = rounds
    }

    private static func round(_ outcome: Replay.Outcome) -> Round {
        let (result, problem): (String, String?) =
            switch outcome.result {
            case .identical: ("identical", nil)
            case .different: ("different", "the computed model differs from the recorded one")
            case .pruned: ("pruned", nil)
            case .unreadable(let message): ("unreadable", message)
            }
        return Round(
            campaign: outcome.campaign.text,
            round: outcome.round,
            updates: outcome.updates,
            result: result,
            problem: problem
        )
    }

    func show() {
        for round in rounds {
            guard let problem = round.problem else { continue }
            Terminal.print(
                "\(Terminal.styled(round.result.uppercased(), .red))  \(round.campaign) round \(round.round): \(problem)"
            )
        }
        for (campaign, numbers) in Self.prunedRounds(of: rounds) {
            Terminal.print(
                """
                \(Terminal.styled("pruned", .yellow))     \(campaign) rounds \(numbers): their updates were removed, \
                they cannot be replayed
                """
            )
        }
        let state = sound ? Terminal.styled("identical", .green) : Terminal.styled("NOT IDENTICAL", .red)
        Terminal.print(
            rounds.isEmpty
                ? "there is no committed round"
                : """
                \(state)  \(identical) of \(counted(rounds.count, "round")), bit for bit; \(pruned) pruned, \
                \(different) different, \(unreadable) unreadable
                """
        )
    }

    /// The pruned rounds of each campaign, such as `3–17, 20`, in the ledger's order.
    static func prunedRounds(of rounds: [Round]) -> [(campaign: String, numbers: String)] {
        var spans: [(campaign: String, spans: [ClosedRange<Int>])] = []
        for round in rounds where round.result == "pruned" {
            if spans.last?.campaign != round.campaign { spans.append((round.campaign, [])) }
            let last = spans.count - 1
            if let span = spans[last].spans.last, span.upperBound + 1 == round.round {
                spans[last].spans[spans[last].spans.count - 1] = span.lowerBound...round.round
            } else {
                spans[last].spans.append(round.round...round.round)
            }
        }
        return spans.map { campaign, spans in
            (
                campaign,
                spans.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)–\($0.upperBound)" }.joined(
                    separator: ", "
                )
            )
        }
    }
}
