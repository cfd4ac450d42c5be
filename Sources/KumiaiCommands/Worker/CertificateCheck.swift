import Federation
import Worker

/// The doctor's check of how long the certificates are valid.
enum CertificateCheck {
    static func check(_ identity: WorkerIdentity, at now: Timestamp) -> WorkerDoctorCommand.Check {
        let texts = identity.notices.compactMap { notice in notice.text(at: now).map { "\($0); \(notice.remedy)" } }
        guard !texts.isEmpty else {
            return .init("certificate's end", "not before \(Format.time(identity.notices.map(\.term.notAfter).min()!))")
        }
        // A certificate that ends within a day may end during a round.
        let isGood = identity.notices.allSatisfy { notice in
            switch notice.term.standing(at: now) {
            case .valid: true
            case .endsWithin(let days): days > 1
            case .notYetValid, .ended: false
            }
        }
        return .init("certificate's end", ok: isGood, warning: isGood, texts.joined(separator: "; "))
    }
}
