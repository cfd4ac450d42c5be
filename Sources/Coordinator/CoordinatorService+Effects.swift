import Blobs
import Federation
import Identity
import Ledger
import NIOPosix
import Transport

/// Performs the driver's effects in order: on threads if they block, whose results are events again.
extension CoordinatorService {
    func perform(_ effects: [CoordinatorEffect]) {
        for effect in effects { perform(effect) }
    }

    private func perform(_ effect: CoordinatorEffect) {
        let (ledger, blobs, incoming) = (ledger, blobs, incoming)
        switch effect {
        case .append(let entries):
            work(on: writer) {
                do { try ledger.append(entries) } catch { return .appendFailed("\(error)") }
                return .appended(ledger.snapshot)
            }
        case .reload: read { try ledger.reload() }
        case .restore(let lost): read { try ledger.restore(lost) }
        case .storeMissingHistory(let head): storeMissingHistory(head)
        case .inspect(let id, let update, let plan, let ended): inspect(id, update, plan, ended)
        case .publish(let id, let manifest, let inspection):
            work(on: storeWriter) { .published(id, incoming.accept(manifest, inspection)) }
        case .compute(let task):
            let aggregation = RoundAggregation(blobs: blobs, threads: configuration.aggregationThreads)
            work(on: workers) { .computed(task, aggregation.attempt(task)) }
        case .remove(let digests): changeStore { for digest in digests { blobs.remove(digest) } }
        case .discard(let digest, let site): changeStore { incoming.remove(digest, of: site) }
        case .sweep(let wasAbandoned): sweep(wasAbandoned: wasAbandoned)
        case .assign(let link, let assignment, let proof): links[link]?.send(assignment, provedBy: proof)
        case .close(let link): links[link]?.close()
        case .reply(let id, let answer): requests.removeValue(forKey: id)?.continuation.resume(returning: answer)
        case .sitesChanged: reserveConnections()
        case .wake(let alarm, let milliseconds): wake(alarm, milliseconds)
        case .cancel(let alarm): alarms.cancel(alarm)
        case .report(let observation): observe(observation)
        }
    }

    /// Runs `body` on a thread of `pool` and passes the event that it returns to the driver.
    private func work(on pool: NIOThreadPool, _ body: @escaping @Sendable () -> CoordinatorEvent) {
        pool.submit { [inbox] state in if state == .active { inbox.yield(body()) } }
    }

    /// Runs `body` on the one thread that changes the shared store, without waiting for it.
    private func changeStore(_ body: @escaping @Sendable () -> Void) {
        storeWriter.submit { state in if state == .active { body() } }
    }

    private func read(_ body: @escaping @Sendable () throws -> ConsortiumState) {
        let ledger = ledger
        work(on: writer) {
            do { return .read(try body(), ledger.snapshot) } catch { return .readFailed("\(error)") }
        }
    }

    private func storeMissingHistory(_ head: SignedTreeHead?) {
        let (path, log) = (files.missingHistory, log)
        changeStore {
            do { try MissingHistoryFile(path: path).store(head) } catch { log.cannotStoreMissingHistory(path, error) }
        }
    }

    private func inspect(_ id: RequestID, _ update: SignedUpdate, _ plan: Plan, _ ended: Set<Digest>) {
        guard let certificate = requests[id]?.certificate else {
            return handle(.inspected(id, .unavailable("the connection is gone")))
        }
        let (blobs, incoming, roots, time, manifest) = (
            blobs, incoming, identity.roots.without(ended), now(), update.manifest
        )
        let scanned = arrivedUpdates.take(manifest.update, of: manifest.site)
        work(on: workers) {
            do {
                let uploads = try incoming.store(of: manifest.site)
                let inspection = UpdateInspection(
                    blobs: blobs,
                    uploads: uploads,
                    plan: plan,
                    roots: roots,
                    scanned: scanned
                )
                return .inspected(id, inspection.inspect(update, certificate: certificate, at: time))
            } catch {
                return .inspected(id, .unavailable("the coordinator cannot inspect what the site has sent: \(error)"))
            }
        }
    }

    private func sweep(wasAbandoned: Bool) {
        let (sweeper, log, spools) = (sweeper, log, spools)
        spools.roundEnded()
        arrivedUpdates.roundEnded()
        let needed = sweeper.needsAll(wasAbandoned: wasAbandoned) ? driver.neededBlobs : nil
        changeStore {
            do { log.swept(try sweeper.sweep(needed: needed).count) } catch { log.cannotSweep(error) }
        }
    }

    private func wake(_ alarm: CoordinatorAlarm, _ milliseconds: Int64) {
        guard !isStopping else { return alarms.cancel(alarm) }
        alarms.set(alarm, afterMilliseconds: milliseconds) { [inbox] in _ = inbox.yield(.due($0)) }
    }

    func observe(_ observation: CoordinatorObservation) {
        switch observation {
        case .turnedAway(let site, let reason): refusedSites[site] = RefusedSite(reason: reason, at: now())
        case .siteConnected(let site, _): refusedSites[site] = nil
        default: break
        }
        log.observe(observation)
    }
}
