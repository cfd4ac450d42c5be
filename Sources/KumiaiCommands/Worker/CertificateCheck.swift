import Federation
import Worker

/// The doctor's look at how long the certificates hold: within the last week a site must do something about it.
enum CertificateCheck {
    static func check(_ identity: WorkerIdentity, at now: Timestamp) -> WorkerDoctorCommand.Check {
        let texts = identity.notices.compactMap { $0.text(at: now) }
        guard !texts.isEmpty else {
            return .init("certificate's end", "not before \(Format.time(identity.notices.map(\.term.notAfter).min()!))")
        }
        let isUrgent = identity.notices.contains { notice in
            switch notice.term.standing(at: now) {
            case .endsWithin(let days): days <= 7
            case .valid: false
            case .notYetValid, .ended: true
            }
        }
        return .init("certificate's end", ok: !isUrgent, "\(texts.joined(separator: "; ")); renew it: kumiai pki renew")
    }
}
