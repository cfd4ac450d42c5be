import Federation

/// What suites about rounds share: a campaign whose sites are all present.
protocol RoundFixture {}

extension RoundFixture {
    var start: Timestamp { Samples.start }

    func opened(_ plan: Plan = Samples.plan()) throws -> (CoordinatorMachine, [Entry]) {
        var (machine, entries) = try Samples.machine(plan)
        for site in Samples.sites { entries += machine.handle(.arrived(site), at: start).entries }
        return (machine, entries)
    }

    func refusal(_ effects: [CoordinatorMachine.Effect]) -> UpdateRefusal.Reason? {
        if case .refused(let refusal)? = effects.answers.first { refusal.reason } else { nil }
    }

    func result(_ byte: UInt8) -> GlobalState {
        GlobalState(model: Samples.digest(byte), modelByteCount: 1000, serverState: Samples.digest(byte &+ 100))
    }
}
