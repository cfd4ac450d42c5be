import Federation
import Foundation
import Identity
import Ledger
import Logging
import Transport

/// Certificates of a running coordinator: reloading them from their files, warning before they expire, and closing
/// connections when they do.
extension CoordinatorService {
    private static let pollSeconds = 2

    /// Reloads the certificate, the key, the CA and the revocation list from their files. If the files are not valid,
    /// the current ones stay in use.
    package func reload() { handleReload(reloading.reload(at: now())) }

    /// Detects replaced files, and closes connections whose certificates have expired or been revoked.
    func watchIdentity() async {
        warnOfOpenDirectory()
        var memory = MemoryTrimmer()
        while !Task.isCancelled {
            handleReload(reloading.reloadIfChanged(at: now()))
            remind()
            endConnections()
            await watchLedger()
            await memory.ifDue(on: workers)
            try? await Task.sleep(for: .seconds(Self.pollSeconds))
        }
    }

    /// Detects that the ledger's file was removed or replaced, even if no request needs it; logs this once.
    private func watchLedger() async {
        do {
            try await workers.runIfActive { [ledger] in try ledger.requireWhole() }
            ledgerIsMissed = false
        } catch {
            guard error is LedgerError, !ledgerIsMissed, !isStopping else { return }
            ledgerIsMissed = true
            logger.critical(
                "nothing is decided, and nothing is answered from the ledger",
                metadata: ["reason": "\(error)", "hint": "put the file back and restart the coordinator"]
            )
        }
    }

    private func handleReload(_ outcome: ReloadingIdentity<CoordinatorIdentity>.Outcome) {
        switch outcome {
        case .unchanged: break
        case .replaced:
            logger.info(
                "certificates reloaded",
                metadata: [
                    "certificate": "\(identity.principal)", "valid_until": "\(identity.chain[0].notAfter.text)",
                    "file": "\(configuration.certificate)",
                ]
            )
            mustCheckConnections = true
        case .refused(let error):
            logger.error(
                "certificates were not reloaded: those from before stay",
                metadata: [
                    "reason": "\(error)",
                    "hint": "\((error as? CoordinatorError)?.hint ?? (error as? IdentityError)?.hint ?? "")",
                ]
            )
        }
    }

    private func remind() {
        let time = now()
        var notices = identity.notices
        for (site, presence) in driver.sites where presence.isConnected {
            if let term = presence.certificate { notices.append(ExpiryNotice("the certificate of \(site)", term)) }
        }
        for notice in reminder.due(notices, at: time) {
            logger.warning(
                "a certificate ends",
                metadata: ["reason": "\(notice.text(at: time) ?? "")", "hint": "\(notice.remedy)"]
            )
        }
    }

    /// Dates are cheap to check, so they are checked every time. Signatures and revocations are checked again only if
    /// the files were replaced or the revocation list has expired: what is refused to new connections is refused to
    /// open ones too.
    private func endConnections() {
        let time = now(), roots = identity.roots, isWhole = mustCheckConnections || roots.hasEndedRevocations(at: time)
        mustCheckConnections = false
        listener?.endConnections { certificate in
            guard isWhole || certificate.notAfter < time else { return nil }
            do {
                _ = try roots.verify(certificate, at: time)
                return nil
            } catch let error as IdentityError where error.code == .notTrusted && certificate.notAfter >= time {
                // Issued through intermediates that only the handshake saw.
                return nil
            } catch {
                return "\(error)"
            }
        }
    }

    /// Records a certificate that a handshake did not accept. It is kept for the status if the consortium's CA issued
    /// it.
    func refused(_ certificate: RefusedCertificate, _ reason: String) {
        guard let principal = certificate.principal, principal.consortium == configuration.consortium,
            let site = principal.site
        else { return }
        observe(.turnedAway(site, reason: reason))
    }

    /// Returns why a site's last attempt to connect failed; `nil` if the site has connected since.
    package func refusal(of site: SiteID) -> RefusedSite? { refusedSites[site] }

    /// The notices about expiry that a status shows for the coordinator's certificate, its CA and its revocation list.
    package var certificateNotices: [ExpiryNotice] { identity.notices }
    package func certificateTerm(of site: SiteID) -> ValidityPeriod? { driver.sites[site]?.certificate }

    private func warnOfOpenDirectory() {
        let attributes = try? FileManager.default.attributesOfItem(atPath: files.directory)
        guard let mode = attributes?[.posixPermissions] as? Int, mode & 0o077 != 0 else { return }
        logger.warning(
            "others than its owner may enter the data directory",
            metadata: [
                "directory": "\(files.directory)", "mode": "0\(String(mode, radix: 8))",
                "hint": "chmod 700 the directory",
            ]
        )
    }
}

/// A site whose last attempt to connect failed.
package struct RefusedSite: Equatable, Sendable {
    package let reason: String
    package let at: Timestamp
}
