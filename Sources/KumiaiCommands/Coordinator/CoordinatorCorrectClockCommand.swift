import ArgumentParser
import Wire

struct CoordinatorCorrectClockCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "correct-clock",
        abstract: "Say that the coordinator's clock had been ahead.",
        discussion: """
            Entries of the ledger do not go back in time, so a coordinator whose clock is more than an hour behind \
            its newest entry decides nothing. Set the clock first. If it is right now, and was wrong when that entry \
            was written, this says so: an entry that audits show. The deadlines of an open round move back by as much.

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
