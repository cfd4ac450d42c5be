import Coordinator
import Federation
import Testing
import Wire

@Suite struct UnregisteredModelsTests {
    private func digest(_ byte: Int) -> Digest { Digest([UInt8](repeating: UInt8(byte), count: 32))! }

    @Test func aFurtherModelTakesThePlaceOfTheOldestThatNobodySends() throws {
        var models = UnregisteredModels()
        #expect(try models.begin(digest(1), from: "alice") == [])
        #expect(try models.begin(digest(2), from: "alice") == [])
        // Both models are still being sent.
        #expect(throws: Refusal.self) { try models.begin(digest(3), from: "alice") }
        #expect(try models.begin(digest(3), from: "bob") == [])
        models.end(digest(2))
        #expect(try models.begin(digest(4), from: "alice") == [digest(2)])
        // The same model again does not count as another one.
        #expect(try models.begin(digest(1), from: "alice") == [])
        models.end(digest(1))
        #expect(throws: Refusal.self) { try models.begin(digest(5), from: "alice") }
        models.end(digest(1))
        #expect(try models.begin(digest(5), from: "alice") == [digest(1)])
    }

    @Test func whatIsRegisteredDoesNotCount() throws {
        var models = UnregisteredModels()
        for number in 1...20 {
            #expect(try models.begin(digest(number), from: "alice") == [])
            models.end(digest(number))
            models.registered(digest(number))
        }
    }

    @Test func allOperatorsTogetherHaveABound() throws {
        var models = UnregisteredModels()
        for number in 0..<CoordinatorLimits.arrivingModels {
            #expect(try models.begin(digest(number), from: "operator \(number)") == [])
        }
        #expect(throws: Refusal.self) { try models.begin(digest(100), from: "carol") }
        models.end(digest(3))
        #expect(try models.begin(digest(100), from: "carol") == [digest(3)])
    }
}
