import Federation
import Ledger
import Protocol
import Wire

/// Tracks connected sites, and whether this ledger extends what they have seen.
extension CoordinatorDriver {
    mutating func start(at now: Timestamp) {
        mustResume = true
        startupWait = StartupWait(machine.state.campaign, at: now)
        guard let startupWait else { return }
        observeNow(.startupWaitBegan(until: startupWait.end))
        turn.prompt += [
            .wake(.fullAttendance, afterMilliseconds: CoordinatorLimits.fullAttendanceMilliseconds),
            .wake(.startupWait, afterMilliseconds: CoordinatorLimits.startupWaitMilliseconds),
        ]
    }

    /// Ends the wait for the sites if all of those it waits for have connected.
    mutating func endStartupWaitIfOver() {
        if let startupWait, startupWait.isOver(machine.state.campaign) { endStartupWait() }
    }

    mutating func endStartupWait() {
        guard startupWait != nil else { return }
        startupWait = nil
        turn.prompt += [.cancel(.fullAttendance), .cancel(.startupWait)]
    }

    /// The sites that are connected now.
    var presentSites: Set<SiteID> { Set(sites.filter(\.value.isConnected).keys) }

    mutating func greeted(_ site: SiteID, _ standing: HistoryStanding) {
        switch standing {
        case .extends, .lossDeclared: break
        case .isBehind(let head):
            // The entries may have been restored, or their loss declared, since the shell compared.
            guard case .isBehind = ledger.standing(of: head.note, losses: machine.state.losses) else { return }
            recordMissing(head, seenBy: site)
            observeNow(
                .turnedAway(
                    site,
                    reason: "it has seen \(head.head.size) entries, but the ledger holds \(ledger.count)"
                )
            )
        case .isForeign:
            observeNow(.turnedAway(site, reason: "it has seen a tree head that this ledger's key did not sign"))
        }
    }

    mutating func arrived(_ site: SiteID, _ link: LinkID, _ certificate: ValidityPeriod?, at now: Timestamp) {
        if var known = sites[site] {
            if let former = known.link { turn.prompt.append(.close(former)) }
            (known.link, known.certificate, known.lastSeen) = (link, certificate, now)
            sites[site] = known
            observeNow(.siteConnected(site, again: true))
        } else {
            sites[site] = SitePresence(link, certificate, at: now)
            observeNow(.siteConnected(site, again: false))
        }
        startupWait?.recordConnection(of: site)
        endStartupWaitIfOver()
        decide(at: now) { $0.handle(.arrived(site), at: now) }
        turn.assigned.insert(site)
    }

    mutating func left(_ site: SiteID, _ link: LinkID, at now: Timestamp) {
        guard sites[site]?.link == link else { return }
        sites[site]?.link = nil
        observeNow(.siteDisconnected(site))
        decide(at: now) { $0.handle(.left(site), at: now) }
    }

    /// A heartbeat decides nothing, so it need not wait for the disk.
    package mutating func recordHeartbeat(_ site: SiteID, _ link: LinkID, _ heartbeat: Heartbeat, at now: Timestamp) {
        guard sites[site]?.link == link else { return }
        sites[site]?.record(heartbeat, at: now)
    }
}
