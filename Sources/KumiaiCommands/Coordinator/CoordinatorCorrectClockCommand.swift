import ArgumentParser
import Wire

struct CoordinatorCorrectClockCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "correct-clock",
        abstract: "Record that the coordinator's clock was ahead.",
        discussion: """
            Entries of the ledger cannot go back in time. A coordinator whose clock is more than an hour behind its \
            newest entry therefore decides nothing. Set the clock first. If the clock is right now and was ahead when \
            that entry was written, this command records the fact as an entry, which audits show. The deadlines of an \
            open round move back by the same time.

            Needs an operator's certificate.
            """
    )

    @OptionGroup var request: ReasonedRequest

    struct Report: Encodable { let entry: UInt64 }

    func execute() async throws {
        let index = try await request.record(.correctClock(reason: request.reason))
        if request.json.isOn { return try Report(entry: index).printJSON() }
        Terminal.print("corrected the clock (ledger entry \(index))")
    }
}
