import Foundation
import Identity
import Testing

@Suite struct OpenSSLLibraryTests {
    @Test func aProcessEndsWhileItsThreadsUseKeys() async {
        await #expect(processExitsWith: .success) {
            OpenSSLLibrary.outliveMain()
            for _ in 0..<4 {
                Thread.detachNewThread {
                    while let key = try? PrivateKey.generate() { _ = try? key.sign(Array("update".utf8)) }
                }
            }
            usleep(50_000)
            exit(0)
        }
    }
}
