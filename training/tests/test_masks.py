"""Known answers of Philox4x32-10, and what a mask promises."""

import unittest

import numpy as np

from algospace_train import masks


class Masks(unittest.TestCase):
    def test_philox_gives_the_published_words(self):
        ones = 0xFFFFFFFF
        published = [
            ([0, 0, 0, 0], (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
            ([ones] * 4, (ones, ones), [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        ]
        for counter, key, words in published:
            drawn = masks.philox(np.array(counter, dtype=np.uint32), key)
            self.assertEqual(drawn.tolist(), words)

    def test_each_unit_takes_the_word_the_contract_names(self):
        seed, decision, passes = 0x0123456789ABCDEF, 0xFEDCBA9876543210, 4
        first, second = masks.masks(seed, decision, passes, 0.2)
        self.assertEqual((first.dtype, first.shape, second.shape), (np.float32, (3, 4, 256), (3, 4, 128)))
        both = np.concatenate([first, second], axis=-1)
        for agent, number, unit in [(0, 0, 0), (1, 3, 255), (2, 1, 256), (2, 3, 383)]:
            counter = np.array([0x76543210, 0xFEDCBA98, agent * 65536 + number, unit // 4], dtype=np.uint32)
            word = masks.philox(counter, (0x89ABCDEF, 0x01234567))[unit % 4]
            self.assertEqual(both[agent, number, unit], 0.0 if word < 858993459 else np.float32(1.25))

    def test_a_fifth_is_dropped_and_nothing_at_probability_0(self):
        first, second = masks.masks(7, 0, 1000, 0.2)
        self.assertAlmostEqual((first == 0).mean(), 0.2, delta=0.002)
        self.assertAlmostEqual((second == 0).mean(), 0.2, delta=0.003)
        for mask in masks.masks(7, 0, 10, 0.0):
            self.assertTrue((mask == 1.0).all())


if __name__ == "__main__":
    unittest.main()
