import Federation
import Testing

@Suite("The state of a round is what its ledger's entries determine")
struct RoundFoldTests: RoundFixture {
    @Test func restartAtAnyEntryGoesOnWhereItWas() throws {
        var (machine, entries) = try opened()
        for site in Samples.sites {
            entries += machine.handle(.submitted(Samples.submission(Samples.update(of: site))), at: start).entries
        }
        entries += machine.handle(.aggregated(RoundKey(round: 1, attempt: 1), result(3)), at: start).entries
        for count in 3...entries.count {
            var state = ConsortiumState()
            for entry in entries.prefix(count) { try state.apply(entry) }
            var restarted = CoordinatorMachine(state: state)
            var effects = restarted.resume(present: [], at: start)
            for site in Samples.sites { effects += restarted.handle(.arrived(site), at: start) }
            // Sites send again every update for which they have no receipt; the rest of the campaign follows.
            for _ in 0..<20 where restarted.state.campaign?.end == nil {
                let round = try #require(restarted.state.campaign?.round)
                if let task = effects.tasks.last {
                    effects = restarted.handle(.aggregated(task.key, result(UInt8(10 + task.key.round))), at: start)
                    continue
                }
                effects = []
                for site in Samples.sites {
                    let update = Samples.update(of: site, round: round.key.round, model: round.start.model)
                    effects += restarted.handle(.submitted(Samples.submission(update)), at: start)
                }
            }
            #expect(
                restarted.state.campaign?.end?.completed == true,
                """
                after entry \(count): \(restarted.state.campaign!.round.key) \
                \(restarted.state.campaign!.round.phaseName)
                """
            )
        }
    }

    /// Also between two rounds: the coordinator's state is exactly what an auditor computes from the entries.
    @Test func afterEveryStepTheMachineHoldsTheFoldOfItsEntriesAndNothingElse() throws {
        var (machine, entries) = try opened()
        func check() throws {
            var state = ConsortiumState()
            for entry in entries { try state.apply(entry) }
            #expect(state == machine.state)
        }
        for site in Samples.sites {
            entries += machine.handle(.submitted(Samples.submission(Samples.update(of: site))), at: start).entries
            try check()
        }
        entries += machine.handle(.left(Samples.sites[2]), at: start).entries
        entries += machine.handle(.aggregated(RoundKey(round: 1, attempt: 1), result(3)), at: start).entries
        try check()
        // Round 2 recruits; whether a quorum is present is not part of the state.
        #expect(machine.wakeTime == start + 30)
        entries += machine.handle(.tick, at: start + 30).entries
        entries += machine.handle(.tick, at: start + 200).entries
        try check()
        #expect(machine.state.campaign?.round.key == RoundKey(round: 2, attempt: 2))
    }

    @Test func ledgerThatContradictsThePlanDoesNotFold() throws {
        let (_, entries) = try opened()
        var state = ConsortiumState()
        for entry in entries { try state.apply(entry) }
        let overweight = AcceptedUpdate(update: Samples.update(of: Samples.sites[0]), weight: 51, norm: 1)
        let outsider = AcceptedUpdate(update: Samples.update(of: SiteID("z/unknown")!), weight: 50, norm: 1)
        let commit = RoundCommit(key: RoundKey(round: 1, attempt: 1), result: result(3), scaleBits: 1, totalWeight: 1)
        for body in [
            .updateAccepted(overweight), .updateAccepted(outsider), .roundCommitted(commit),
            .roundClosed(RoundKey(round: 1, attempt: 1)),
        ]
            as [Entry.Body]
        {
            var copy = state
            #expect(throws: LedgerViolation.self) { try copy.apply(Entry(at: start, body)) }
        }
    }

    @Test func aLedgerFromWhenDigestsCouldRepeatStillFolds() throws {
        let (machine, _) = try opened()
        var state = machine.state
        for site in Samples.sites.prefix(2) {
            let accepted = AcceptedUpdate(update: Samples.update(of: site, content: 60), weight: 50, norm: 1)
            try state.apply(Entry(at: start, .updateAccepted(accepted)))
        }
        // Each site still gets its own receipt.
        for (offset, site) in Samples.sites.prefix(2).enumerated() {
            #expect(state.place(of: Samples.update(of: site, content: 60).manifest)?.index == UInt64(4 + offset))
        }
    }
}
